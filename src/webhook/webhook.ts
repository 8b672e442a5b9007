/**
 * Posting JSON to somebody's URL by Standard Webhooks: `webhook-id`, `webhook-timestamp` (POSIX seconds) and
 * `webhook-signature` over `<id>.<timestamp>.<body>`. Taken is what is answered with a 2xx; no redirect is followed, and no
 * address of a private network is spoken to unless that is allowed.
 */
import { createHmac } from "node:crypto";
import { Agent, request } from "undici";
import { ed25519Sign } from "#crypto";
import { WritError } from "../errors.js";
import { retryAfter } from "../format/retry-after.js";
import { toBase64 } from "../format/base64.js";
import { utf8 } from "../format/bytes.js";
import { demandPublicHost, publicLookup } from "./address.js";

const TIMEOUT_MS = 15_000;

/** What goes into `webhook-signature`, for the bytes that are signed. */
export type WebhookSignature = (signed: Uint8Array) => string;

/** `v1a`: Ed25519 with a 32-byte seed. */
export function asymmetric(seed: Uint8Array): WebhookSignature {
  return (signed) => `v1a,${toBase64(ed25519Sign(signed, seed))}`;
}

/** `v1`: HMAC-SHA256 with a shared secret, 24 to 64 bytes. */
export function symmetric(secret: Uint8Array): WebhookSignature {
  return (signed) => `v1,${createHmac("sha256", secret).update(signed).digest("base64")}`;
}

/** The receiver answered, and did not take it. */
export class NotTaken extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** How long the receiver asks to be left alone, in milliseconds; 0 where it does not. */
    readonly retryAfterMs = 0,
  ) {
    super(message);
  }
}

export class Webhook {
  private readonly target: URL;
  private readonly agent: Agent;

  /** USAGE for what is no http(s) URL, ADDRESS_REFUSED for a private address that is not allowed. */
  constructor(
    url: string,
    private readonly sign: WebhookSignature,
    { allowPrivate, option }: { readonly allowPrivate: boolean; readonly option: string },
  ) {
    this.target = parseTarget(url, option);
    if (!allowPrivate) demandPublicHost(this.target);
    this.agent = new Agent({ connections: 1, connect: allowPrivate ? {} : { lookup: publicLookup } });
  }

  /** Resolves when it was taken. `now`: milliseconds since 1970. NotTaken, or the network's own error. */
  async post(id: string, body: string, now: number, signal?: AbortSignal): Promise<void> {
    const timestamp = Math.floor(now / 1000);
    const late = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await request(this.target, {
      method: "POST",
      dispatcher: this.agent,
      headers: {
        "content-type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": String(timestamp),
        "webhook-signature": this.sign(utf8(`${id}.${timestamp}.${body}`)),
      },
      body,
      signal: signal === undefined ? late : AbortSignal.any([signal, late]),
    });
    await answer.body.dump();
    if (answer.statusCode < 200 || answer.statusCode > 299)
      throw new NotTaken(
        answer.statusCode,
        `${this.target.origin} answered ${answer.statusCode}`,
        retryAfter(answer.headers["retry-after"]),
      );
  }

  async close(): Promise<void> {
    await this.agent.destroy();
  }
}

function parseTarget(url: string, option: string): URL {
  const target = URL.canParse(url) ? new URL(url) : null;
  if (target !== null && ["http:", "https:"].includes(target.protocol)) return target;
  throw new WritError("USAGE", `${option}: want an http or https URL, got ${JSON.stringify(url)}`);
}
