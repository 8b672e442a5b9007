/**
 * What happened, in one sentence made from the records: who did what to what, how much, when; asked by whom for whom, decided
 * under which policy, approved by whom, granted by whom, used how often. Values are other people's text: quoted where they are
 * not plain, their control and bidirectional characters escaped, and cut.
 */
import { visible } from "../format/visible.js";
import { objectMember } from "../record/links.js";
import type { Json, JsonObject } from "../statement/json.js";
import { type Case } from "./case.js";
import { isRejection } from "./checks/approvals.js";
import { maxUses } from "./checks/uses.js";
import { ancestry, decisionFor, permitted } from "./context.js";
import type { RecordEntry } from "./entry.js";
import { textMember } from "./graph.js";
import { isFinished, isUse, type Use } from "./use.js";

const MAX_TEXT = 80;
/** Members of target and parameters that are told. */
const MAX_MEMBERS = 4;

/** Other people's text in a sentence of ours: on one line, without control or bidirectional characters, cut at 80. */
export function told(text: string): string {
  const characters = Array.from(visible(text));
  return characters.length > MAX_TEXT
    ? `${characters.slice(0, MAX_TEXT - 1).join("")}…`
    : characters.join("");
}

export function sentenceOf(one: Case): string {
  const { action, done } = one;
  const what = whatWasDone(one, done.findLast((use) => isFinished(use)) ?? done[0]);
  const parts = [
    done.length > 0 ? doing(done, what) : notDoing(one, what),
    action.request === undefined ? unasked(one) : asking(action.request),
    deciding(one),
    approving(one),
    granting(one),
  ];
  return `${parts.filter((part) => part !== "").join("; ")}.`;
}

/** What one record says, as its signer's claims: type, action, amounts and other parameters, target, time. */
export function claimsOf({
  type,
  value,
  issuer,
}: Pick<RecordEntry["record"], "type" | "value" | "issuer">): string {
  const inner = ["permitted_action", "executed_action"].map((name) => objectMember(value, name));
  const source = inner.find((one) => Object.keys(one).length > 0) ?? value;
  const action = textMember(source, "action_type");
  const parameters = members(objectMember(source, "parameters"));
  const target = members(objectMember(source, "target"));
  return [
    `a record of type ${told(type)} by ${told(issuer)}`,
    ...(action === undefined ? [] : [`action ${told(action)}`]),
    ...(parameters === "" ? [] : [parameters]),
    ...(target === "" ? [] : [`on ${target}`]),
    ...["decision", "outcome", "approval"].flatMap((name) => {
      const word = textMember(value, name);
      return word === undefined ? [] : [`${name} ${told(word)}`];
    }),
    ...(typeof value["issued_at"] === "string" ? [`dated ${told(value["issued_at"])}`] : []),
  ].join(", ");
}

/** A record of no action. */
export function sentenceOfRecord({ record, index }: RecordEntry): string {
  return `Entry ${index} is a ${told(record.type)} that ${told(record.issuer)} signed${stated(record.value["issued_at"], ", dated ")}.`;
}

/** What came of it, each try that failed beside what was done. */
function doing(done: readonly Use[], what: string): string {
  const failed = done.filter(({ outcome }) => outcome === "failed");
  const rest = done.length > failed.length ? done.filter(({ outcome }) => outcome !== "failed") : done;
  const [first] = rest;
  const receipt = first?.receipts[0];
  const who = told(receipt?.record.issuer ?? "somebody");
  const last = rest.at(-1)?.outcome ?? "";
  const verb =
    {
      executed: "did",
      partial: "partly did",
      reverted: "did, and took back,",
      failed: "tried, and failed, to do",
      unknown: "did, or may have done,",
    }[last] ?? "did";
  const times = rest.length > 1 ? ` ${rest.length} times` : "";
  const tries =
    rest === done || failed.length === 0
      ? ""
      : `, after ${failed.length} ${failed.length === 1 ? "try" : "tries"} that failed`;
  const logged =
    receipt?.receivedAt === null || receipt === undefined ? "" : `, logged ${moment(receipt.receivedAt)}`;
  return `${who} ${verb} ${what}${times}${tries}${stated(receipt?.record.value["executed_at"], ", by its own word at ")}${logged}`;
}

function notDoing({ calls, decisions, grants }: Case, what: string): string {
  const refusing = calls.find(({ outcome }) => outcome === "refused")?.receipts.at(-1);
  if (refusing !== undefined) return `Nothing was done: ${told(refusing.record.issuer)} refused ${what}`;
  const begun = calls.find(({ consumption }) => consumption !== undefined);
  if (begun !== undefined)
    return `Whether ${what} was done is not known: ${told(begun.executor ?? "somebody")} used the grant up, and no receipt says what came of it`;
  const isDenied = decisions.some(({ record }) => record.value["decision"] === "deny");
  const why = isDenied
    ? "it was denied"
    : grants.length > 0
      ? "the grant was not used, as far as anybody said"
      : "it was not granted (yet)";
  return `Nothing was done of ${what}: ${why}`;
}

/** The action type, its amount and parameters, and its target. */
function whatWasDone({ action, grants }: Case, use: Use | undefined): string {
  const [grant] = grants;
  const asked = action.request?.record.value;
  const source: JsonObject =
    use?.stated.at(-1)?.action ??
    (use?.grant === undefined ? undefined : permitted(use.grant)) ??
    asked ??
    (grant === undefined ? {} : permitted(grant));
  const type = told(
    textMember(source, "action_type") ??
      textMember(asked ?? {}, "action_type") ??
      "something that it does not state",
  );
  const parameters = members(objectMember(source, "parameters"));
  const target = members(objectMember(source, "target"));
  return `${type}${parameters === "" ? "" : ` with ${parameters}`}${target === "" ? "" : ` on ${target}`}`;
}

function members(value: JsonObject): string {
  const all = Object.entries(value);
  const some = all.slice(0, MAX_MEMBERS).map(([name, member]) => `${told(name)} ${valueText(member)}`);
  return [...some, ...(all.length > MAX_MEMBERS ? [`${all.length - MAX_MEMBERS} more`] : [])].join(", ");
}

function valueText(value: Json): string {
  if (typeof value === "string") return `"${told(value)}"`;
  return told(JSON.stringify(value).replaceAll(/sha256:([0-9a-f]{6})[0-9a-f]{58}/g, "sha256:$1…"));
}

function unasked({ action }: Case): string {
  const isNamed = action.receipts.some(({ record }) => record.value["request_hash"] === action.id);
  return isNamed ? "the request that it names is not in the log" : "nobody asked for it";
}

function asking({ record }: RecordEntry): string {
  return `asked by ${told(record.issuer)} for ${told(textMember(record.value, "delegator_id") ?? "nobody")}`;
}

function deciding({ decisions, context }: Case): string {
  if (decisions.length === 0) return "decided by nobody";
  return decisions
    .map((decision) => {
      const { value, issuer } = decision.record;
      const policy = context.graph
        .all("policy")
        .find(({ record }) => record.value["policy_digest"] === value["policy_digest"]);
      const version = textMember(policy?.record.value ?? value, "policy_version");
      const words = {
        allow: "allowed",
        deny: "denied",
        "require-approval": "allowed upon approval",
        escalate: "escalated",
      };
      const word = words[textMember(value, "decision") as keyof typeof words] ?? "decided";
      return `${word} by ${told(issuer)}${version === undefined ? "" : ` under policy ${told(version)}`}`;
    })
    .join(" and ");
}

function approving({ action, decisions }: Case): string {
  const said = action.approvals.map((approval) => {
    const { value, issuer } = approval.record;
    return `${isRejection(approval) ? "rejected" : "approved"} by ${told(issuer)} as ${told(textMember(value, "approver_role") ?? "")}`;
  });
  if (said.length > 0) return said.slice(0, MAX_MEMBERS).join(" and ");
  return decisions.some(({ record }) => record.value["decision"] === "require-approval")
    ? "approved by nobody"
    : "";
}

function granting({ grants, calls: uses, context }: Case): string {
  return grants
    .slice(0, MAX_MEMBERS)
    .map((grant) => {
      // A use of a grant below it is one of its own.
      const own = uses.filter(
        (use) => use.grant !== undefined && ancestry(use.grant, context.graph).includes(grant),
      );
      const used = Math.max(
        own.filter(isUse).length,
        own.filter(({ consumption }) => consumption !== undefined).length,
      );
      const isDenied = decisionFor(grant, context)?.record.value["decision"] === "deny";
      return `granted by ${told(grant.record.issuer)}${isDenied ? " all the same" : ""} and used ${used} of ${maxUses(grant)} times`;
    })
    .join("; ");
}

function stated(time: Json | undefined, before: string): string {
  return typeof time === "string" ? `${before}${told(time)}` : "";
}

function moment(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
