/** Reading the events of a log. */
import { EventStreamReader } from "../../src/client/event-stream.js";

export interface SentEvent {
  readonly id: string;
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The events of an answer, as they come. */
export async function* sentEvents(response: Response): AsyncGenerator<SentEvent> {
  if (response.body === null) return;
  const reader = new EventStreamReader();
  for await (const chunk of response.body)
    for (const { id, name, data } of reader.push(chunk as Uint8Array))
      yield { id, name, data: JSON.parse(data) as Record<string, unknown> };
}

/** Events until one fits, that one included; the stream is left then. */
export async function until(
  events: AsyncGenerator<SentEvent>,
  fits: (event: SentEvent) => boolean,
): Promise<SentEvent[]> {
  const seen: SentEvent[] = [];
  for await (const event of events) {
    seen.push(event);
    if (fits(event)) break;
  }
  return seen;
}
