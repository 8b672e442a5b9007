/**
 * Events on their way: parcels of them, a file each, synced before the monitor's state moves on, removed when every
 * receiver that was there when it was made has taken all of it. A crash at any point delivers again and loses nothing;
 * receivers tell a second delivery by the event's id.
 */
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "#crypto";
import { isMissing, writeDurably } from "../durable.js";
import { toHex, utf8 } from "../format/bytes.js";
import type { MonitorEvent } from "./events.js";

export interface Receiver {
  readonly name: string;
  /** Rejects when it has not been taken; it is tried again. */
  deliver(id: string, event: MonitorEvent): Promise<void>;
}

interface Parcel {
  readonly events: readonly MonitorEvent[];
  /** By receiver's name: how many of the events it has taken, from the first on. */
  readonly taken: Readonly<Record<string, number>>;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

export class Outbox {
  private readonly failures = new Map<string, { count: number; notBefore: number }>();
  private delivering: Promise<number> | null = null;
  private order = 0;

  constructor(
    private readonly folder: string,
    private readonly receivers: readonly Receiver[],
    private readonly now: () => number,
    private readonly onTrouble: (receiver: string, why: string) => void,
    private readonly stop?: AbortSignal,
  ) {}

  /** Keeps the events for every receiver; resolves when they are on disk. */
  async put(events: readonly MonitorEvent[]): Promise<void> {
    if (this.receivers.length === 0 || events.length === 0) return;
    await mkdir(this.folder, { recursive: true });
    const name = `${digits(this.now(), 15)}-${digits(process.pid, 8)}-${digits(this.order++, 8)}.json`;
    await this.write(name, { events, taken: Object.fromEntries(this.receivers.map((one) => [one.name, 0])) });
  }

  /** Begins to deliver, unless that is going on. */
  kick(): void {
    if (this.delivering !== null) return;
    void this.deliver().catch((error: unknown) => {
      this.onTrouble("outbox", error instanceof Error ? error.message : String(error));
    });
  }

  /** Delivers what waits, oldest first; a receiver that fails is left alone for a while. How many parcels still wait. */
  async deliver(): Promise<number> {
    // What comes while a delivery is going on may have come too late for it.
    const before = this.delivering?.catch(() => 0) ?? Promise.resolve(0);
    const mine = before.then(() => this.deliverAll());
    this.delivering = mine;
    try {
      return await mine;
    } finally {
      if (this.delivering === mine) this.delivering = null;
    }
  }

  private async deliverAll(): Promise<number> {
    let left = 0;
    for (const name of await this.waiting()) {
      const parcel = await this.read(name);
      if (parcel === null) continue;
      const taken = { ...parcel.taken };
      for (const receiver of this.receivers)
        if (taken[receiver.name] !== undefined)
          taken[receiver.name] = await this.hand(receiver, parcel, taken[receiver.name] ?? 0);
      const done = Object.values(taken).every((count) => count >= parcel.events.length);
      if (done) await rm(join(this.folder, name), { force: true });
      else {
        left++;
        const more = Object.keys(taken).some((one) => taken[one] !== parcel.taken[one]);
        if (more) await this.write(name, { events: parcel.events, taken });
      }
    }
    return left;
  }

  /** How many of a parcel's events a receiver has taken then. */
  private async hand(receiver: Receiver, { events }: Parcel, taken: number): Promise<number> {
    for (let n = taken; n < events.length; n++) {
      const [event, failed] = [events[n], this.failures.get(receiver.name)];
      const early = failed !== undefined && this.now() < failed.notBefore;
      if (event === undefined || early || this.stop?.aborted === true) return n;
      try {
        await receiver.deliver(idOf(event), event);
        this.failures.delete(receiver.name);
      } catch (error) {
        const count = (failed?.count ?? 0) + 1;
        const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(count - 1, 20));
        this.failures.set(receiver.name, { count, notBefore: this.now() + pause });
        this.onTrouble(receiver.name, error instanceof Error ? error.message : String(error));
        return n;
      }
    }
    return events.length;
  }

  private async waiting(): Promise<string[]> {
    try {
      return (await readdir(this.folder)).filter((name) => name.endsWith(".json")).toSorted();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  private async read(name: string): Promise<Parcel | null> {
    try {
      const parcel = JSON.parse(await readFile(join(this.folder, name), "utf8")) as Partial<Parcel>;
      return Array.isArray(parcel.events) && typeof parcel.taken === "object" ? (parcel as Parcel) : null;
    } catch {
      // Not one of ours, or half of one: its events were not acknowledged, so they are reported again.
      return null;
    }
  }

  private async write(name: string, parcel: Parcel): Promise<void> {
    await writeDurably(join(this.folder, name), JSON.stringify(parcel), 0o600);
  }
}

function digits(n: number, width: number): string {
  return String(n).padStart(width, "0");
}

/** The same event has the same id, however often and whenever it is reported. */
export function idOf(event: MonitorEvent): string {
  const { at: _, ...rest } = event;
  const { proof: __, ...same } = { proof: "", ...rest };
  return `evt_${toHex(sha256(utf8(JSON.stringify(same)))).slice(0, 32)}`;
}
