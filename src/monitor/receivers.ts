/** Where events go: a webhook, signed (Standard Webhooks, `v1a`: Ed25519), and a command of the operator's. */
import { spawn } from "node:child_process";
import { Agent, request } from "undici";
import { ed25519Sign } from "#crypto";
import { WritError } from "../errors.js";
import { toBase64 } from "../format/base64.js";
import { utf8 } from "../format/bytes.js";
import type { SigningKey } from "../format/vkey.js";
import { demandPublicHost, publicLookup } from "./address.js";
import type { MonitorEvent } from "./events.js";
import type { Receiver } from "./outbox.js";

const TIMEOUT_MS = 15_000;
const EXEC_TIMEOUT_MS = 60_000;

export interface WebhookOptions {
  readonly url: string;
  /** Ed25519: whoever receives checks `webhook-signature` with its public half. */
  readonly key: SigningKey;
  /** May the address be one of a private network? */
  readonly allowPrivate: boolean;
  readonly now: () => number;
}

/**
 * POSTs each event as JSON with `webhook-id`, `webhook-timestamp` (POSIX seconds) and `webhook-signature`
 * (`v1a,` + base64 of Ed25519 over `<id>.<timestamp>.<body>`). Taken is what is answered with a 2xx; no redirect is followed.
 */
export function webhook({ url, key, allowPrivate, now }: WebhookOptions): Receiver {
  const target = parseTarget(url);
  if (!allowPrivate) demandPublicHost(target);
  const agent = new Agent({ connections: 1, connect: allowPrivate ? {} : { lookup: publicLookup } });
  return {
    name: "webhook",
    async deliver(id, event) {
      const body = JSON.stringify(event);
      const timestamp = Math.floor(now() / 1000);
      const signature = toBase64(ed25519Sign(utf8(`${id}.${timestamp}.${body}`), key.seed));
      const answer = await request(target, {
        method: "POST",
        dispatcher: agent,
        headers: {
          "content-type": "application/json",
          "webhook-id": id,
          "webhook-timestamp": String(timestamp),
          "webhook-signature": `v1a,${signature}`,
        },
        body,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      await answer.body.dump();
      if (answer.statusCode < 200 || answer.statusCode > 299)
        throw new Error(`${target.origin} answered ${answer.statusCode}`);
    },
  };
}

/** Runs a shell command for each event, its JSON on standard input; taken is what it ends with 0 for. */
export function execHook(command: string): Receiver {
  return {
    name: "exec",
    async deliver(id, event) {
      await new Promise<void>((resolve, reject) => {
        const child = spawn("/bin/sh", ["-c", command], {
          // Its output is no result of ours: standard output is for events.
          stdio: ["pipe", 2, 2],
          env: { ...process.env, WRIT_EVENT_ID: id, WRIT_EVENT: wordOf(event) },
          timeout: EXEC_TIMEOUT_MS,
        });
        child.once("error", reject);
        child.once("exit", (code, signal) =>
          code === 0 ? resolve() : reject(new Error(`the command ended with ${code ?? signal}`)),
        );
        // A command may end without having read what it was given.
        child.stdin?.on("error", () => {});
        child.stdin?.end(`${JSON.stringify(event)}\n`);
      });
    },
  };
}

function wordOf(event: MonitorEvent): string {
  return event.type === "match" ? "match" : event.kind;
}

function parseTarget(url: string): URL {
  const target = URL.canParse(url) ? new URL(url) : null;
  if (target !== null && ["http:", "https:"].includes(target.protocol)) return target;
  throw new WritError("USAGE", `--webhook: want an http or https URL, got ${JSON.stringify(url)}`);
}
