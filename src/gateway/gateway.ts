/**
 * The gateway: what stands between an agent's proposal and a tool. It lets somebody act only when the chain behind the grant
 * holds, the action is within it, the log is seen to be alive and honest, and the grant's use has been written down in the
 * log, which happens once. Whatever it cannot find out counts against acting.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { LogClient } from "../client/log-client.js";
import { FolderMemory } from "../client/memory.js";
import type { LoggedEntry } from "../client/results.js";
import { ProofError, WritError } from "../errors.js";
import { type Policy, policyOfKey } from "../format/policy.js";
import { ED25519, parseVerifierKey, type VerifierKey } from "../format/vkey.js";
import { type BuiltRecord, buildRecord, type RecordMembers } from "../record/build.js";
import { isRecordId } from "../record/links.js";
import { RECORD_MEDIA_TYPE } from "../record/record.js";
import { type Signer, signDsse } from "../statement/sign.js";
import { type Bounds, DEFAULT_BOUNDS } from "./bounds.js";
import { BoundaryBudget, type Budget } from "./budget.js";
import { judgeGrant, judgeRunning, type JudgedGrant, type ProposedAction } from "./grant.js";
import { Outbox } from "./outbox.js";
import { type Clocks, type Health, Senses, unsure } from "./senses.js";
import { Watch } from "./watch.js";

export interface GatewayOptions {
  /** The log, such as `http://127.0.0.1:6962`. */
  readonly url: string;
  /** Whom to trust: the log's verifier key, or a policy that names it and its witnesses. */
  readonly trust: string | VerifierKey | Policy;
  /** The executor's id, and the key registered for it. */
  readonly executor: string;
  readonly signer: Signer;
  /** Where what is on its way, and the last checkpoint seen, survive a restart. One gateway, one folder. */
  readonly folder: string;
  readonly bounds?: Partial<Bounds>;
  /**
   * Lets actions of risk tier 3 through without witnesses: for a log that has none. Without it they need a policy with a
   * quorum.
   */
  readonly withoutWitnesses?: boolean;
  /** What each stage may take, by action type. */
  readonly budget?: Budget;
  /** Told of what goes wrong and will be tried again, or cannot be. */
  readonly onTrouble?: (what: string) => void;
  readonly clocks?: Clocks;
}

/** Leave to act, once. */
export interface Permit {
  readonly grant: JudgedGrant;
  readonly action: ProposedAction;
  readonly toolCallHash: string;
  /** The consumption in the log; null for risk tier 0, whose consumption is on its way. */
  readonly consumption: LoggedEntry | null;
  /** Aborts when the grant or one above it is taken back or expires, or when nothing can be said of it any more. */
  readonly signal: AbortSignal;
  /** The action is over: nothing watches the grant any more. `record` does so too. */
  end(): void;
}

/** What a receipt says beyond what the permit knows. */
export type ReceiptMembers = Pick<
  RecordMembers["execution-receipt"],
  "outcome" | "postcondition_hashes" | "evidence_written" | "boundary_id" | "seq" | "prior_receipts"
> & {
  /** When it was done, RFC 3339; the moment of recording unless given. */
  readonly executed_at?: string;
};

/** A receipt that is safe on disk. */
export interface Recorded {
  readonly receipt: BuiltRecord<"execution-receipt">;
  /** Resolves when it is in the log. */
  readonly delivered: Promise<LoggedEntry>;
}

const REAL_CLOCKS: Clocks = { wall: () => Date.now(), steady: () => performance.now() };
/** How often permits that are out are held against the gateway's health. */
const LOOK_MS = 100;

export class Gateway {
  readonly budget: BoundaryBudget;
  /** Permits that are out, and when each ends by itself. */
  private readonly out = new Map<AbortController, number>();
  private readonly looking: NodeJS.Timeout;
  private closed = false;

  private constructor(
    private readonly options: GatewayOptions,
    private readonly policy: Policy,
    private readonly clocks: Clocks,
    private readonly client: LogClient,
    private readonly courier: LogClient,
    private readonly stop: AbortController,
    private readonly senses: Senses,
    private readonly watch: Watch,
    private readonly outbox: Outbox,
    private readonly watching: Promise<void>,
  ) {
    this.budget = new BoundaryBudget(options.budget);
    this.looking = setInterval(() => this.look(), LOOK_MS);
    this.looking.unref();
  }

  /** Opens the outbox and begins to follow the log; does not wait for it. USAGE for a policy without one Ed25519 log key. */
  static async open(options: GatewayOptions): Promise<Gateway> {
    const { url, folder, clocks = REAL_CLOCKS } = options;
    const onTrouble = (what: string): void => tell(options.onTrouble, what);
    const policy = policyOf(options.trust);
    const key = logKeyOf(policy);
    const bounds = { ...DEFAULT_BOUNDS, ...options.bounds };
    const memory = new FolderMemory(join(folder, "checkpoints"));
    const stop = new AbortController();
    const senses = new Senses(bounds, clocks);
    const shared = {
      url,
      key,
      memory,
      signal: stop.signal,
      onCheckpoint: ({ size }: { readonly size: number }) => senses.shown(size),
      ...(policy.quorum === null ? {} : { policy }),
    };
    const client = new LogClient({ ...shared, patienceMs: bounds.patienceMs });
    // Apart, because what is on its way has more patience than somebody who waits to act.
    const courier = new LogClient({ ...shared, sharedWith: client });
    const watch = new Watch({ client, policy, senses, silenceMs: bounds.silenceMs, onTrouble });
    const outbox = await Outbox.open({ folder: join(folder, "outbox"), client: courier, onTrouble });
    return new Gateway(options, policy, clocks, client, courier, stop, senses, watch, outbox, watch.run());
  }

  /** Can grants be judged now, and if not, why? */
  get health(): Health {
    return this.senses.health;
  }

  /** Resolves once grants can be judged. GATEWAY_UNSURE with the reason when they cannot within the time, in milliseconds. */
  async ready(withinMs = 10_000): Promise<void> {
    if (!(await comesTrue(() => this.health.live, withinMs))) this.senses.demandLive();
  }

  /**
   * Leave to do this, now, under this grant (its record id). The chain behind it is judged, the action held against it, and
   * its use logged; by risk tier, for tier 0 that is put on its way, for 1 and 2 the log has it, for 3 the witnesses too.
   * GATEWAY_UNSURE, GRANT_UNKNOWN, GRANT_UNJUSTIFIED, GRANT_MISMATCH, ACTION_OUTSIDE, or the log's own GRANT_… for why not;
   * NOT_WITNESSED; SERVER_UNREACHABLE, after which the grant may be used up or not.
   */
  async authorize(grantId: string, proposed: ProposedAction, toolCallHash: string): Promise<Permit> {
    const began = performance.now();
    this.demandLive();
    // What is judged is what is recorded: nobody else holds it.
    const action = structuredClone(proposed);
    const bundle = await this.traceOf(grantId);
    const now = this.clocks.wall();
    const grant = judgeGrant(bundle, grantId, this.policy, {
      executor: this.options.executor,
      signer: this.options.signer.publicKey.keyId,
      action,
      now,
    });
    this.demandWitnesses(grant);
    const abort = new AbortController();
    const running = { grantId, action, consumption: null as string | null };
    const unregister = this.watch.register(
      {
        chain: grant.chain,
        bearing: grant.bearing,
        onStop: ({ at, why }) =>
          abort.abort(new WritError("GRANT_REVOKED", `the grant was taken back: ${why}`, { index: at })),
        onBearing: this.oneAtATime(() => this.judgeAnew(running, abort)),
      },
      grant.asOf,
    );
    this.out.set(abort, grant.expiry);
    const end = (): void => {
      unregister();
      this.out.delete(abort);
    };
    abort.signal.addEventListener("abort", end, { once: true });
    try {
      // A use is not spent on a grant that is known to be taken back.
      this.demandLive();
      abort.signal.throwIfAborted();
      const consumption = await this.consume(grant, toolCallHash, (id) => (running.consumption = id));
      // Only what is known now counts: the log may have gone silent while we waited for it.
      this.demandLive();
      abort.signal.throwIfAborted();
      this.budget.observeOnce(grantId, grant.actionType, grant.spent);
      this.budget.observe(grant.actionType, "consumption", performance.now() - began);
      return { grant, action, toolCallHash, consumption, signal: abort.signal, end };
    } catch (error) {
      end();
      throw error;
    }
  }

  /**
   * Writes down what was done under a permit. Resolves when the receipt is safe on this machine's disk; it is in the log
   * when `delivered` resolves, however long the log is away.
   */
  async record(permit: Permit, members: ReceiptMembers): Promise<Recorded> {
    permit.end();
    const { grant, action, toolCallHash } = permit;
    return this.sendReceipt(grant.actionType, grant.traceId, {
      request_hash: grant.request,
      capability_hash: grant.ref,
      executor_id: this.options.executor,
      tool_call_hash: toolCallHash,
      nonce: grant.nonce,
      executed_action: action,
      executed_at: new Date(this.clocks.wall()).toISOString(),
      ...members,
    });
  }

  /** Writes down that nothing was done, because it was refused: evidence too. `grant`: the one that would not do, if any. */
  async recordRefusal(
    actionType: string,
    traceId: string | null,
    members: Pick<RecordMembers["execution-receipt"], "request_hash" | "capability_hash" | "tool_call_hash"> &
      Partial<ReceiptMembers>,
  ): Promise<Recorded> {
    return this.sendReceipt(actionType, traceId, {
      postcondition_hashes: {},
      ...members,
      outcome: "refused",
      executor_id: this.options.executor,
      executed_at: new Date(this.clocks.wall()).toISOString(),
    });
  }

  /** Receipts and consumptions that the log does not have yet. */
  async pending(): Promise<number> {
    return this.outbox.size();
  }

  /** Resolves when the log has everything, or the time is over, in milliseconds: whether it has. */
  async drained(withinMs: number): Promise<boolean> {
    return comesTrue(async () => (await this.outbox.size()) === 0, withinMs);
  }

  /** Every permit that is out is aborted; what waits in the outbox is delivered after the next start. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.looking);
    for (const abort of [...this.out.keys()]) abort.abort(closing());
    this.watch.close();
    // What is under way is delivered again after the next start: it keeps its one place.
    this.stop.abort(closing());
    await this.outbox.close();
    await this.watching;
    await Promise.all([this.client.close(), this.courier.close()]);
  }

  private async traceOf(grantId: string) {
    if (!isRecordId(grantId))
      throw new WritError(
        "GRANT_UNKNOWN",
        `want the grant's record id, got ${JSON.stringify(grantId).slice(0, 80)}`,
      );
    try {
      return await this.client.trace(grantId);
    } catch (error) {
      if (error instanceof ProofError) {
        this.senses.unsound(error.message);
        this.senses.demandLive();
      }
      if (error instanceof WritError && error.facts.refusal === "ENTRY_NOT_FOUND")
        throw new WritError("GRANT_UNKNOWN", `no grant ${grantId} is in the log`, {}, { cause: error });
      throw error;
    }
  }

  /** Something was said that bears on what a permit rests on: it goes on only if the same question is answered as before. */
  private async judgeAnew(
    { grantId, action, consumption }: { grantId: string; action: ProposedAction; consumption: string | null },
    abort: AbortController,
  ): Promise<void> {
    if (abort.signal.aborted || !this.out.has(abort)) return;
    try {
      const bundle = await this.client.trace(grantId);
      const { executor } = this.options;
      const signer = this.options.signer.publicKey.keyId;
      judgeRunning(bundle, grantId, this.policy, {
        executor,
        signer,
        action,
        now: this.clocks.wall(),
        consumption,
      });
    } catch (error) {
      // What cannot be found out counts against acting.
      abort.abort(error);
    }
  }

  /** However often it is asked for: one at a time, and once more for all that came meanwhile. */
  private oneAtATime(does: () => Promise<void>): () => void {
    let state: "idle" | "running" | "again" = "idle";
    const run = async (): Promise<void> => {
      do {
        state = "running";
        await does();
      } while ((state as string) === "again");
      state = "idle";
    };
    return () => {
      if (state === "idle") void run();
      else state = "again";
    };
  }

  private async consume(
    grant: JudgedGrant,
    toolCallHash: string,
    onBuilt: (id: string) => void,
  ): Promise<LoggedEntry | null> {
    const at = new Date(this.clocks.wall()).toISOString();
    const built = buildRecord("consumption", {
      issuer: this.options.executor,
      issued_at: at,
      ...(grant.traceId === null ? {} : { trace_id: grant.traceId }),
      request_hash: grant.request,
      capability_hash: grant.ref,
      nonce: grant.nonce,
      executor_id: this.options.executor,
      consumed_at: at,
      tool_call_hash: toolCallHash,
      // Two uses in one millisecond are two records: else the second would be told that it is in the log already.
      ...{ use_id: randomUUID() },
    });
    onBuilt(built.id);
    const statement = signDsse(RECORD_MEDIA_TYPE, built.bytes, this.options.signer);
    if (grant.tier === 0) {
      await this.outbox.put(statement);
      return null;
    }
    try {
      return await this.client.submit(statement, {
        witnessed: grant.tier >= 3 && this.policy.quorum !== null,
      });
    } catch (error) {
      throw refusalOf(error);
    }
  }

  private async sendReceipt(
    actionType: string,
    traceId: string | null,
    members: RecordMembers["execution-receipt"],
  ): Promise<Recorded> {
    const began = performance.now();
    const receipt = buildRecord("execution-receipt", {
      issuer: this.options.executor,
      issued_at: members.executed_at,
      ...(traceId === null ? {} : { trace_id: traceId }),
      ...members,
    });
    const { delivered } = await this.outbox.put(
      signDsse(RECORD_MEDIA_TYPE, receipt.bytes, this.options.signer),
    );
    delivered.then(
      () => this.budget.observe(actionType, "receipt", performance.now() - began),
      () => {},
    );
    return { receipt, delivered };
  }

  private look(): void {
    const { health } = this;
    const now = this.clocks.wall();
    for (const [abort, expiry] of [...this.out]) {
      if (!health.live) abort.abort(unsure(health));
      else if (now > expiry)
        abort.abort(new WritError("GRANT_EXPIRED", "the grant has expired while it was used"));
    }
  }

  private demandLive(): void {
    if (this.closed) throw closing();
    this.senses.demandLive();
  }

  private demandWitnesses({ tier }: JudgedGrant): void {
    if (tier < 3 || this.policy.quorum !== null || this.options.withoutWitnesses === true) return;
    const detail = "an action of risk tier 3 waits for witnesses, and the policy asks for none";
    throw unsure({ live: false, reason: "QUORUM_MISSING", detail });
  }
}

/** Whoever is told of trouble may be in trouble too. */
function tell(onTrouble: GatewayOptions["onTrouble"], what: string): void {
  try {
    onTrouble?.(what);
  } catch {
    // It is the listener's; the gateway goes on.
  }
}

/** The log's reason in the place of "the server refused". */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof WritError) || error.code !== "SERVER_REFUSED") return error;
  const code = GATE_CODES.find((known) => known === error.facts.refusal);
  return code === undefined ? error : new WritError(code, error.message, error.facts, { cause: error });
}

const GATE_CODES = [
  "GRANT_UNKNOWN",
  "GRANT_MISMATCH",
  "GRANT_NOT_YET_VALID",
  "GRANT_EXPIRED",
  "GRANT_REVOKED",
  "GRANT_SUSPENDED",
  "GRANT_USED",
  "GRANT_NOT_DELEGATED",
  "REQUEST_USED",
  "USE_REPEATED",
] as const;

function closing(): WritError {
  return new WritError("SHUTTING_DOWN", "the gateway is closing");
}

function policyOf(trust: GatewayOptions["trust"]): Policy {
  if (typeof trust === "string") return policyOfKey(parseVerifierKey(trust.trim()));
  return "logs" in trust ? trust : policyOfKey(trust);
}

function logKeyOf(policy: Policy): VerifierKey {
  const keys = policy.logs.map(({ key }) => key).filter(({ type }) => type === ED25519);
  const [key] = keys;
  if (key !== undefined && keys.length === 1) return key;
  throw new WritError("USAGE", `trust: want a policy with one Ed25519 log key, got ${keys.length}`);
}

/** Looks every 10 ms; false when it has not come true in time. */
async function comesTrue(holds: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}
