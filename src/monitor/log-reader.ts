/** Reading a log from outside for the monitor: paths and shapes, nothing is believed or compared here. */
import type { Hash } from "../../merkle/index.js";
import { hashesAt, invalid, listAt, numberAt, parseObject, textAt } from "../client/answers.js";
import { Transport } from "../client/transport.js";
import { WritError } from "../errors.js";
import { parseBundle } from "../format/bundle.js";
import { formatTilePath, TILE_WIDTH, tileWidth } from "../format/tile-path.js";
import { timeOf } from "../record/time.js";
import { isJsonObject } from "../statement/json.js";

const PAGE = 1000;

/** What the log says of a record's state. */
export interface ToldStatus {
  readonly state: string;
  readonly asOf: number;
}

export class LogReader {
  private readonly transport: Transport;

  constructor(url: string, patienceMs: number, signal?: AbortSignal) {
    this.transport = new Transport({ url, patienceMs, ...(signal === undefined ? {} : { signal }) });
  }

  /** The signed note at `/checkpoint`. */
  async checkpoint(): Promise<Uint8Array> {
    return this.transport.get("/checkpoint", "text/plain");
  }

  async tile(path: string): Promise<Uint8Array> {
    return this.transport.get(`/${path}`, "application/octet-stream");
  }

  async consistency(from: number, to: number): Promise<Hash[]> {
    const body = await this.transport.get(`/v1/consistency?from=${from}&to=${to}`, "application/json");
    return hashesAt(parseObject(body), "hashes");
  }

  /** The entries from `start` to the end of its bundle, in the tree of `size`. */
  async entries(start: number, size: number): Promise<readonly Uint8Array[]> {
    const index = Math.floor(start / TILE_WIDTH);
    const width = tileWidth(0, index, size);
    const bundle = await this.tile(formatTilePath({ kind: "entries", index, width }));
    return parseBundle(bundle, width).slice(start - index * TILE_WIDTH);
  }

  /** When the log says that it took in the entries [from, to): milliseconds since 1970. */
  async times(from: number, to: number): Promise<number[]> {
    const times: number[] = [];
    while (from + times.length < to) {
      const at = from + times.length;
      const path = `/v1/search?from=${at}&to=${to}&limit=${PAGE}`;
      const hits = listAt(parseObject(await this.transport.get(path, "application/json")), "entries");
      if (hits.length === 0) invalid(`entry ${at}`);
      hits.forEach((hit, i) => {
        if (!isJsonObject(hit) || numberAt(hit, "index") !== at + i) invalid(`entry ${at + i}`);
        times.push(timeOf(textAt(hit, "received_at")) ?? invalid("received_at, a time"));
      });
    }
    return times;
  }

  /** Does the log say that it shows no entry before its witnesses have cosigned? Then its clock may be ahead of what it shows. */
  async waitsForWitnesses(): Promise<boolean> {
    return (
      parseObject(await this.transport.get("/v1/log", "application/json"))["witnesses_required"] === "all"
    );
  }

  /** What the log says of a record; null when it says that it has no answer to that. */
  async status(id: string, asOf: number): Promise<ToldStatus | null> {
    try {
      const answer = parseObject(
        await this.transport.get(`/v1/entries/${id}/status?as_of=${asOf}`, "application/json"),
      );
      return { state: textAt(answer, "state"), asOf: numberAt(answer, "as_of") };
    } catch (error) {
      if (error instanceof WritError && error.code === "SERVER_REFUSED") return null;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.transport.close();
  }
}
