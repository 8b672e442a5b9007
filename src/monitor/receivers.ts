/** Where events go: a webhook, signed (Standard Webhooks, `v1a`: Ed25519), and a command of the operator's. */
import { spawn } from "node:child_process";
import type { SigningKey } from "../format/vkey.js";
import { asymmetric, Webhook } from "../webhook/webhook.js";
import type { MonitorEvent } from "./events.js";
import type { Receiver } from "./outbox.js";

const EXEC_TIMEOUT_MS = 60_000;

export interface WebhookOptions {
  readonly url: string;
  /** Ed25519: whoever receives checks `webhook-signature` with its public half. */
  readonly key: SigningKey;
  /** May the address be one of a private network? */
  readonly allowPrivate: boolean;
  readonly now: () => number;
}

/** POSTs each event as JSON; see `Webhook`. */
export function webhook({ url, key, allowPrivate, now }: WebhookOptions): Receiver {
  const hook = new Webhook(url, asymmetric(key.seed), { allowPrivate, option: "--webhook" });
  return {
    name: "webhook",
    deliver: (id, event) => hook.post(id, JSON.stringify(event), now()),
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
