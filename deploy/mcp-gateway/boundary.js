// The boundary: what one tool call becomes in the log. Cognition proposes (a request, signed for the agent), policy decides
// (a decision), capability binds (a grant below the standing one, for this call alone), execution enforces (the grant is used
// up, then the tool is called), receipt records. Whatever goes wrong on the way is a refusal, and is written down too.
import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  buildRecord,
  canonicalJson,
  LogClient,
  noteSigner,
  RECORD_MEDIA_TYPE,
  RecordRef,
  signDsse,
  WritError,
} from "writ/client";
import { Gateway } from "writ/gateway";

const GRANT_SECONDS = 60;

/** sha256: and hex, of a value's RFC 8785 form. */
export function hashOf(value) {
  return `sha256:${createHash("sha256").update(canonicalJson(value)).digest("hex")}`;
}

/** Raised when a call may not be made; the message is for the agent. */
export class Refused extends Error {}

export class Boundary {
  /**
   * `folder`: what `setup.sh` made. `decide(name, args)`: the policy, answering {allow, reason}. `target(name, args)`: what
   * an action is done to, for the record.
   */
  static async open({ folder, decide, target, onTrouble }) {
    const config = JSON.parse(await readFile(join(folder, "boundary.json"), "utf8"));
    const signers = Object.fromEntries(
      await Promise.all(
        ["agent", "engine", "authority", "executor"].map(async (party) => [
          party,
          noteSigner(await readFile(join(folder, `${party}.key`), "utf8")),
        ]),
      ),
    );
    const client = new LogClient({ url: config.log, key: config.key, patienceMs: 5_000 });
    const gateway = await Gateway.open({
      url: config.log,
      trust: config.key,
      executor: signers.executor.name,
      signer: signers.executor,
      folder: join(folder, "gateway"),
      budget: config.budget,
      onTrouble,
    });
    return new Boundary(config, signers, client, gateway, decide, target);
  }

  constructor(config, signers, client, gateway, decide, target) {
    Object.assign(this, { config, signers, client, gateway, decide, target });
  }

  /** Calls the tool under a grant of its own, or throws Refused. `call(signal)` does it; its result's hash is recorded. */
  async run(name, args, call) {
    const traceId = randomUUID();
    const actionType = `tool.${name}`;
    const toolCallHash = hashOf({ name, arguments: args });
    const action = { action_type: actionType, target: this.target(name, args), parameters: args };
    const request = await this.#propose(traceId, action);
    const refused = async (why, grant = null) => {
      const { delivered } = await this.gateway.recordRefusal(actionType, traceId, {
        request_hash: request,
        capability_hash: grant,
        tool_call_hash: toolCallHash,
      });
      delivered.catch(() => {});
      return new Refused(why);
    };
    const verdict = await this.decide(name, args);
    const decision = await this.#decision(traceId, request, verdict);
    if (verdict.allow !== true) throw await refused(verdict.reason);
    const grant = await this.#grant(traceId, request, decision, action);
    let permit;
    try {
      permit = await this.gateway.authorize(grant.id, action, toolCallHash);
    } catch (error) {
      if (error instanceof WritError) throw await refused(`${error.code}: ${error.message}`, grant);
      throw error;
    }
    return this.#execute(permit, call);
  }

  /** What the log does not have yet after two seconds is delivered after the next start. */
  async close() {
    await this.gateway.drained(2_000);
    await this.gateway.close();
    await this.client.close();
  }

  /** However the call ends, there is a receipt of it. */
  async #execute(permit, call) {
    try {
      const result = await call(permit.signal);
      await this.gateway.record(permit, {
        outcome: result.isError === true ? "failed" : "executed",
        postcondition_hashes: { result: hashOf(result.content ?? null) },
      });
      return result;
    } catch (error) {
      // Cut off, or broken: what it has done by then is not known.
      await this.gateway.record(permit, { outcome: "unknown", postcondition_hashes: {} });
      throw error;
    }
  }

  #propose(traceId, action) {
    const { agent } = this.signers;
    return this.#log("action-request", agent, traceId, {
      agent_id: agent.name,
      delegator_id: this.config.delegator,
      ...action,
      constraints: this.config.constraints,
      policy_version: this.config.policy_version,
      requested_at: new Date().toISOString(),
    });
  }

  #decision(traceId, request, { allow, reason }) {
    return this.#log("policy-decision", this.signers.engine, traceId, {
      request_hash: request,
      policy_digest: this.config.policy_digest,
      decision: allow === true ? "allow" : "deny",
      reason,
      decided_at: new Date().toISOString(),
    });
  }

  #grant(traceId, request, decision, action) {
    const { authority, executor } = this.signers;
    const standing = this.config.standing_grants[action.action_type];
    return this.#log("capability-grant", authority, traceId, {
      request_hash: request,
      decision_hash: decision,
      // A tool that has a standing grant is only ever used below it.
      ...(standing === undefined ? {} : { parent_capability_hash: new RecordRef("capability-grant", standing) }),
      permitted_action: { ...action, constraints: this.config.constraints },
      audience: executor.name,
      nonce: randomUUID(),
      expiry: new Date(Date.now() + GRANT_SECONDS * 1000).toISOString(),
      revocation_registry: this.config.origin,
    });
  }

  async #log(type, signer, traceId, members) {
    const record = buildRecord(type, {
      issuer: signer.name,
      issued_at: new Date().toISOString(),
      trace_id: traceId,
      ...members,
    });
    await this.client.submit(signDsse(RECORD_MEDIA_TYPE, record.bytes, signer));
    return record;
  }
}
