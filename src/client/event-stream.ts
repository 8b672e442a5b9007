/** Server-sent events (HTML Standard §9.2.6), read a chunk at a time; bounded, because whoever sends them is not trusted. */
import { WritError } from "../errors.js";

export interface SentEvent {
  /** Empty when the event has none. */
  readonly id: string;
  readonly name: string;
  readonly data: string;
}

const MAX_EVENT_CHARS = 8 * 1024 * 1024;

export class EventStreamReader {
  private readonly decoder = new TextDecoder("utf-8");
  private rest = "";
  private id = "";
  private name = "";
  private data: string[] = [];
  private held = 0;

  /** The events that a chunk completes. SERVER_ANSWER_INVALID for one without an end. */
  push(chunk: Uint8Array): SentEvent[] {
    const events: SentEvent[] = [];
    // A chunk may end in the middle of a line, or between the two halves of its end.
    const text = this.rest + this.decoder.decode(chunk, { stream: true });
    const lines = text.split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") events.push(...this.dispatch());
      else this.field(line);
    }
    if (this.held + this.rest.length > MAX_EVENT_CHARS)
      throw new WritError("SERVER_ANSWER_INVALID", "an event without an end");
    return events;
  }

  private field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") {
      this.data.push(value);
      // The end of a line counts too.
      this.held += value.length + 1;
    } else if (name === "event") this.name = value;
    else if (name === "id" && !value.includes("\0")) this.id = value;
  }

  private dispatch(): SentEvent[] {
    const { id, name, data } = this;
    [this.name, this.data, this.held] = ["", [], 0];
    return data.length === 0 ? [] : [{ id, name: name === "" ? "message" : name, data: data.join("\n") }];
  }
}
