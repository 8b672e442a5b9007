/** Reading server-sent events (HTML Standard §9.2.6), as far as a log sends them. */
export interface SentEvent {
  readonly id: string;
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The events of an answer, as they come. */
export async function* sentEvents(response: Response): AsyncGenerator<SentEvent> {
  if (response.body === null) return;
  let text = "";
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = new Map(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
      );
      text = text.slice(end + 2);
      const data = fields.get("data");
      if (data !== undefined)
        yield {
          id: fields.get("id") ?? "",
          name: fields.get("event") ?? "message",
          data: JSON.parse(data) as Record<string, unknown>,
        };
    }
  }
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
