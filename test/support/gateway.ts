/** A log on a real socket, with a story played into it, and gateways to it. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { createApp } from "../../api/app.js";
import { listen, type RunningServer } from "../../api/server.js";
import type { Stage, Story } from "../../src/demo/stage.js";
import { formatVerifierKey } from "../../src/format/vkey.js";
import { Gateway, type GatewayOptions, type ProposedAction } from "../../src/gateway/index.js";
import type { Log } from "../../src/log/log.js";
import type { Store } from "../../src/store/contract.js";
import { granted } from "./grants.js";
import { logKey, newStore, openLog } from "./log.js";
import { type Clock, play, START, stageOf } from "./story.js";

export const closers: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closers.toReversed()) await close();
});

/** The story's time, at the pace of the real one. */
export const wall = (): number => START + performance.now();

export interface Stand {
  readonly log: Log;
  readonly store: Store;
  readonly stage: Stage;
  readonly server: RunningServer;
  readonly url: string;
}

export async function stand(story: Story = granted, now = wall): Promise<Stand> {
  const store = await newStore();
  const log = await openLog(store, { now });
  const { stage } = await play(story, { store, log, stage: stageOf(story) });
  const server = await serve(log);
  return { log, store, stage, server, url: `http://127.0.0.1:${server.port}` };
}

export async function serve(log: Log, port = 0): Promise<RunningServer> {
  const server = await listen(createApp(log, { verifierKeys: [logKey], version: "test" }), "127.0.0.1", port);
  closers.push(async () => {
    log.release();
    await server.close();
  });
  return server;
}

export async function gatewayTo(
  { url, stage }: Pick<Stand, "url" | "stage">,
  more: Partial<GatewayOptions> = {},
): Promise<Gateway> {
  const gateway = await Gateway.open({
    url,
    trust: formatVerifierKey(logKey),
    executor: stage.party("executor").id,
    signer: stage.signer("executor"),
    folder: await mkdtemp(join(tmpdir(), "writ-gateway-")),
    clocks: { wall, steady: () => performance.now() },
    ...more,
  });
  closers.push(() => gateway.close());
  return gateway;
}

/** What the story's grants permit. */
export function permittedAction(stage: Stage): ProposedAction {
  const { permitted_action: permitted } = stage.value("child-grant") as unknown as {
    permitted_action: ProposedAction;
  };
  return { action_type: permitted.action_type, target: permitted.target };
}

export async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "allowed";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** Resolves when the permit's signal aborts, with the reason's code. */
export async function aborted(signal: AbortSignal): Promise<string> {
  if (!signal.aborted)
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return (signal.reason as { code: string }).code;
}

/** A log that took each step of a story in when the step says, and from then on keeps the time at the pace of the real one. */
export async function standIn(story: Story): Promise<Stand & { readonly now: () => number }> {
  const clock: Clock = { now: 0 };
  let began = 0;
  const now = (): number => clock.now + (began === 0 ? 0 : performance.now() - began);
  const store = await newStore();
  const log = await openLog(store, { now });
  const { stage } = await play(story, { clock, store, log, stage: stageOf(story) });
  began = performance.now();
  const server = await serve(log);
  return { log, store, stage, server, url: `http://127.0.0.1:${server.port}`, now };
}
