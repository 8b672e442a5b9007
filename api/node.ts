/** Node's own request and response under a context; neither is there when the app is called without a server. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Context } from "hono";

export interface NodeMessages {
  readonly incoming?: IncomingMessage;
  readonly outgoing?: ServerResponse;
}

export function nodeMessages(c: Context): NodeMessages {
  return (c.env ?? {}) as NodeMessages;
}
