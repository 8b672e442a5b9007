/**
 * Events on their way: one file each, synced before the monitor's state moves on, removed when every receiver has taken
 * it. A crash at any point delivers again and loses nothing; receivers tell a second delivery by its id.
 */
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "#crypto";
import { toHex, utf8 } from "../format/bytes.js";
import type { MonitorEvent } from "./events.js";

export interface Receiver {
  readonly name: string;
  /** Rejects when it has not been taken; it is tried again. */
  deliver(id: string, event: MonitorEvent): Promise<void>;
}

interface Parcel {
  readonly event: MonitorEvent;
  /** Names of the receivers that have taken it. */
  readonly taken: readonly string[];
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5 * 60_000;

export class Outbox {
  private readonly failures = new Map<string, { count: number; notBefore: number }>();
  private order = 0;

  constructor(
    private readonly folder: string,
    private readonly receivers: readonly Receiver[],
    private readonly now: () => number,
    private readonly onTrouble: (receiver: string, why: string) => void,
  ) {}

  /** Keeps the event for every receiver; resolves when it is on disk. */
  async put(event: MonitorEvent): Promise<void> {
    if (this.receivers.length === 0) return;
    await mkdir(this.folder, { recursive: true });
    const name = `${String(this.now()).padStart(15, "0")}-${String(this.order++).padStart(6, "0")}-${idOf(event).slice(4, 20)}.json`;
    await this.write(name, { event, taken: [] });
  }

  /** Delivers what waits, oldest first; a receiver that fails is left alone for a while. How many still wait. */
  async deliver(): Promise<number> {
    let left = 0;
    for (const name of await this.waiting()) {
      const parcel = await this.read(name);
      if (parcel === null) continue;
      const taken = new Set(parcel.taken);
      for (const receiver of this.receivers.filter((one) => !taken.has(one.name)))
        if (await this.hand(receiver, parcel.event)) taken.add(receiver.name);
      if (this.receivers.every((one) => taken.has(one.name)))
        await rm(join(this.folder, name), { force: true });
      else {
        left++;
        if (taken.size > parcel.taken.length)
          await this.write(name, { event: parcel.event, taken: [...taken] });
      }
    }
    return left;
  }

  private async hand(receiver: Receiver, event: MonitorEvent): Promise<boolean> {
    const failed = this.failures.get(receiver.name);
    if (failed !== undefined && this.now() < failed.notBefore) return false;
    try {
      await receiver.deliver(idOf(event), event);
      this.failures.delete(receiver.name);
      return true;
    } catch (error) {
      const count = (failed?.count ?? 0) + 1;
      const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(count - 1, 20));
      this.failures.set(receiver.name, { count, notBefore: this.now() + pause });
      this.onTrouble(receiver.name, error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  private async waiting(): Promise<string[]> {
    try {
      return (await readdir(this.folder)).filter((name) => name.endsWith(".json")).toSorted();
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
      throw error;
    }
  }

  private async read(name: string): Promise<Parcel | null> {
    try {
      return JSON.parse(await readFile(join(this.folder, name), "utf8")) as Parcel;
    } catch {
      // Not one of ours, or half of one: its event was not acknowledged, so it is reported again.
      return null;
    }
  }

  private async write(name: string, parcel: Parcel): Promise<void> {
    const path = join(this.folder, name);
    const file = await open(`${path}.new`, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify(parcel));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
  }
}

/** The same event has the same id, however often and whenever it is reported. */
export function idOf(event: MonitorEvent): string {
  const { at: _, ...rest } = event;
  const { proof: __, ...same } = { proof: "", ...rest };
  return `evt_${toHex(sha256(utf8(JSON.stringify(same)))).slice(0, 32)}`;
}
