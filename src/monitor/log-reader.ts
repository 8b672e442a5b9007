/** Reading a log from outside for the monitor: paths, shapes and sizes; nothing is believed or compared here. */
import type { Hash } from "../../merkle/index.js";
import { hashesAt, invalid, listAt, numberAt, parseObject, textAt } from "../client/answers.js";
import { readTile } from "../client/tile-reading.js";
import { isRefusal, Transport } from "../client/transport.js";
import { WritError } from "../errors.js";
import { MAX_ENTRY_BYTES, parseBundle } from "../format/bundle.js";
import { MAX_NOTE_BYTES } from "../format/note.js";
import { formatTilePath, TILE_WIDTH, tileWidth } from "../format/tile-path.js";
import { timeOf } from "../record/time.js";
import { JWT_MEDIA_TYPE } from "../status-list/token.js";
import { isJsonObject, type JsonObject } from "../statement/json.js";

/** Entries whose times are asked for at once; each may come with a record. */
const PAGE = 256;
const MAX_BUNDLE_BYTES = TILE_WIDTH * (MAX_ENTRY_BYTES + 2);
const MAX_TILE_BYTES = TILE_WIDTH * 32;
/** Of an answer that carries a note and little else. */
const MAX_SMALL_BYTES = 2 * MAX_NOTE_BYTES;

/** 32 KiB that do not compress, in base64 twice over. */
const MAX_LIST_BYTES = 128 * 1024;

export interface AboutLog {
  /** Does it say that it shows no entry before its witnesses have cosigned? */
  readonly waitsForWitnesses: boolean;
  /** How old a cosignature gets before it asks for another, in milliseconds; null where it does not say. */
  readonly renewedMs: number | null;
}

export class LogReader {
  private readonly transport: Transport;

  constructor(url: string, patienceMs: number, signal?: AbortSignal) {
    this.transport = new Transport({ url, patienceMs, ...(signal === undefined ? {} : { signal }) });
  }

  /** The signed note at `/checkpoint`. */
  async checkpoint(): Promise<Uint8Array> {
    return this.transport.get("/checkpoint", "text/plain", MAX_NOTE_BYTES);
  }

  /** A tile of hashes. */
  async tile(path: string): Promise<Uint8Array> {
    return this.read(path, MAX_TILE_BYTES);
  }

  async consistency(from: number, to: number): Promise<Hash[]> {
    return hashesAt(await this.object(`/v1/consistency?from=${from}&to=${to}`), "hashes");
  }

  /** The entries from `start` to the end of its bundle, in the tree of `size`. */
  async entries(start: number, size: number): Promise<readonly Uint8Array[]> {
    const index = Math.floor(start / TILE_WIDTH);
    const width = tileWidth(0, index, size);
    const path = formatTilePath({ kind: "entries", index, width });
    const bundle = await this.read(path, MAX_BUNDLE_BYTES);
    return parseBundle(bundle, width).slice(start - index * TILE_WIDTH);
  }

  private async read(path: string, maxBytes: number): Promise<Uint8Array> {
    return readTile((one) => this.transport.get(`/${one}`, "application/octet-stream", maxBytes), path);
  }

  /** When the log says that it took in the entries [from, to): milliseconds since 1970. */
  async times(from: number, to: number): Promise<number[]> {
    const times: number[] = [];
    while (from + times.length < to) {
      const at = from + times.length;
      const count = Math.min(PAGE, to - at);
      const path = `/v1/search?from=${at}&to=${at + count}&limit=${count}`;
      const hits = listAt(await this.object(path, MAX_BUNDLE_BYTES + MAX_SMALL_BYTES), "entries");
      if (hits.length === 0 || hits.length > count) invalid(`the ${count} entries from ${at} on`);
      hits.forEach((hit, i) => {
        if (!isJsonObject(hit) || numberAt(hit, "index") !== at + i) invalid(`entry ${at + i}`);
        times.push(timeOf(textAt(hit, "received_at")) ?? invalid("received_at, a time"));
      });
    }
    return times;
  }

  /**
   * What the log says of itself; null where nobody answers questions, only files: a log of another make, or a copy. Such a
   * server refuses (404, and 403 of some buckets), or shows a page for people.
   */
  async about(): Promise<AboutLog | null> {
    try {
      const said = await this.object("/v1/log");
      const renewed = said["cosignatures_renewed_after_s"];
      return {
        waitsForWitnesses: said["witnesses_required"] === "all",
        renewedMs: typeof renewed === "number" && renewed > 0 ? renewed * 1000 : null,
      };
    } catch (error) {
      const isPage = error instanceof WritError && error.code === "SERVER_ANSWER_INVALID";
      if (isPage || isRefusal(error)) return null;
      throw error;
    }
  }

  /** The word that the log has for the state of a record, as of a size. */
  async status(id: string, asOf: number): Promise<string> {
    const answer = await this.object(`/v1/entries/${id}/status?as_of=${asOf}`);
    if (numberAt(answer, "as_of") !== asOf) invalid(`as_of, ${asOf}`);
    return textAt(answer, "state");
  }

  /** A status list as a JWT; null when the log has none of that number. */
  async statusList(k: number): Promise<Uint8Array | null> {
    try {
      return await this.transport.get(`/v1/status/lists/${k}`, JWT_MEDIA_TYPE, MAX_LIST_BYTES);
    } catch (error) {
      if (isRefusal(error)) return null;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.transport.close();
  }

  private async object(path: string, maxBytes = MAX_SMALL_BYTES): Promise<JsonObject> {
    return parseObject(await this.transport.get(path, "application/json", maxBytes));
  }
}
