/**
 * What somebody still has to look after: exceptions that are open, that have expired, or whose review is due; rules that leave something
 * open or that two claim; reviews that are overdue; uses that no receipt tells of. Made from records as they were found: that there are no
 * others is the log's word.
 */
import { TO_BE_FILLED } from "../trace/checks/registration.js";
import { told } from "../trace/sentence.js";

export type OpenKind =
  | "exception open"
  | "exception expired"
  | "review due"
  | "rules incomplete"
  | "rules contested"
  | "use without a receipt";

export interface Found {
  readonly index: number;
  readonly value: { readonly [name: string]: unknown };
}

export interface OpenItem extends Found {
  readonly kind: OpenKind;
}

/** The types of record that are asked for, newest first. */
export const OPEN_ITEM_TYPES = [
  "exception",
  "action-type",
  "strategy-receipt",
  "execution-receipt",
  "consumption",
] as const;
/** Records of one type that are looked at, the newest: what bounds a look at a log of any size. */
export const MAX_OF_TYPE = 1_000;
/** Records whose standing is asked, one after another; what comes after them is shown as if nobody had taken it back. */
export const MAX_ASKED = 200;
const PAGE = 500;
/** A page is cut where it has 4 MiB: there may be more of them than full ones. */
const MAX_PAGES = 8;
/** A use that is so young may be under way, in ms. */
const UNDER_WAY_MS = 10 * 60_000;

/** What a log is asked. */
export interface Asked {
  /** A page of records of a type, newest first, and the cursor of the next. */
  search(
    type: string,
    limit: number,
    cursor: string | null,
  ): Promise<{ readonly found: readonly Found[]; readonly next: string | null }>;
  /** The state that a record is in. */
  state(index: number): Promise<string>;
}

/** Asks a log for what is open now: the newest of each type, without what was taken back. `now` in ms. */
export async function findOpenItems(log: Asked, now: number): Promise<OpenItem[]> {
  const found: Found[] = [];
  for (const type of OPEN_ITEM_TYPES) found.push(...(await newest(log, type)));
  const gone = new Map<number, boolean>();
  // What is taken back uncovers what it stood before: until nothing more is.
  for (;;) {
    const items = openItems(
      found.filter(({ index }) => gone.get(index) !== true),
      now,
    );
    const asked = items.filter(({ kind, index }) => kind !== "use without a receipt" && !gone.has(index));
    const batch = asked.slice(0, MAX_ASKED - gone.size);
    for (const { index } of batch) gone.set(index, (await log.state(index)) === "revoked");
    if (!batch.some(({ index }) => gone.get(index) === true)) return items;
  }
}

async function newest(log: Asked, type: string): Promise<Found[]> {
  const all: Found[] = [];
  let cursor: string | null = null;
  // So many pages, whatever is in them: a log that always has one more is asked no further.
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    const page = await log.search(type, PAGE, cursor);
    for (const one of page.found.slice(0, PAGE)) all.push(one);
    cursor = page.next;
    if (cursor === null || all.length >= MAX_OF_TYPE) break;
  }
  return all.slice(0, MAX_OF_TYPE);
}

/** `found`: the newest records of each type. `now` in ms. In the order of the kinds, then newest first. */
export function openItems(found: readonly Found[], now: number): OpenItem[] {
  const newestFirst = found.toSorted((a, b) => b.index - a.index);
  const of = (type: string): Found[] => newestFirst.filter(({ value }) => value["type"] === type);
  const rules = newestOf(of("action-type"), ["issuer", "action_type"]);
  const as = (kind: OpenKind, records: readonly Found[]): OpenItem[] =>
    records.map((one) => ({ ...one, kind }));
  const exceptions = of("exception");
  const isOver = ({ value }: Found): boolean => isPast(value["expires_at"], now);
  return [
    ...as("review due", [
      ...exceptions.filter((one) => !isOver(one) && isPast(one.value["review_due"], now)),
      ...newestOf(of("strategy-receipt"), ["issuer", "objective"]).filter(({ value }) =>
        isPast(value["next_review_due"], now),
      ),
    ]),
    ...as("exception expired", exceptions.filter(isOver)),
    ...as(
      "exception open",
      exceptions.filter((one) => !isOver(one) && !isPast(one.value["review_due"], now)),
    ),
    ...as(
      "rules incomplete",
      rules.filter(({ value }) => leftOpen(value).length > 0),
    ),
    ...as(
      "rules contested",
      rules.filter(({ value }) =>
        rules.some(
          (other) =>
            other.value["action_type"] === value["action_type"] && other.value["issuer"] !== value["issuer"],
        ),
      ),
    ),
    ...as("use without a receipt", untold(of("consumption"), of("execution-receipt"), now)),
  ];
}

/** Can a record of these words be an item of that kind? What hangs on other records is the log's word. */
export function isOfKind(kind: OpenKind, value: Found["value"], now: number): boolean {
  if (kind === "use without a receipt") return value["type"] === "consumption";
  if (kind === "rules contested") return value["type"] === "action-type";
  return openItems([{ index: 0, value }], now).some((item) => item.kind === kind);
}

/** What there is to do, and whose it is: by what the record itself says. */
export function whatToDo({ kind, value }: Pick<OpenItem, "kind" | "value">): string {
  const text = (name: string): string => {
    const member = value[name];
    return typeof member === "string" && member !== "" ? told(member) : "nobody";
  };
  const owner = `owner ${text("owner")}`;
  switch (kind) {
    case "exception open":
      return `excuses ${text("check")} until ${text("expires_at")}; ${owner}: ${text("reason")}`;
    case "exception expired":
      return `excused ${text("check")} until ${text("expires_at")}; ${owner}: revoke it, renewed or not`;
    case "review due":
      return value["type"] === "exception"
        ? `its review was due ${text("review_due")}, and it still excuses ${text("check")}; ${owner}`
        : `the next review of "${text("objective")}" was due ${text("next_review_due")}; by ${text("issuer")}`;
    case "rules incomplete":
      return `the rules of ${text("action_type")} leave open ${leftOpen(value).join(", ")}; by ${text("issuer")}`;
    case "rules contested":
      return `${text("issuer")} is not alone in writing rules for ${text("action_type")}: contested where both belong to one trust domain`;
    case "use without a receipt":
      return `used by ${text("executor_id")} at ${text("consumed_at")}, and nothing tells how it ended`;
  }
}

/**
 * What waits for somebody. An exception in force only wants to be known of; whether rules of one name are contested hangs on trust
 * domains, and anybody may write some.
 */
export function isOverdue({ kind }: Pick<OpenItem, "kind">): boolean {
  return kind !== "exception open" && kind !== "rules contested";
}

function isPast(text: unknown, now: number): boolean {
  return typeof text === "string" && Date.parse(text) <= now;
}

function leftOpen(value: Found["value"]): string[] {
  return TO_BE_FILLED.filter((name) => {
    const member = value[name];
    return member === "" || (Array.isArray(member) && member.length === 0);
  });
}

/** The last word of each. */
function newestOf(newestFirst: readonly Found[], names: readonly string[]): Found[] {
  const seen = new Set<string>();
  return newestFirst.filter(({ value }) => {
    const key = JSON.stringify(names.map((name) => value[name]));
    return seen.has(key) ? false : seen.add(key);
  });
}

/** A receipt tells of a use by its grant and nonce, or of every use of its grant when it has none. Of uses from before the oldest receipt that was looked at nothing is said. */
function untold(uses: readonly Found[], receipts: readonly Found[], now: number): Found[] {
  const use = (value: Found["value"], nonce: unknown): string =>
    // Its executor's own: a stranger's receipt tells of nothing.
    JSON.stringify([value["capability_hash"], value["executor_id"], nonce ?? null]);
  const toldOf = new Set(receipts.map(({ value }) => use(value, value["nonce"])));
  const from = receipts.length < MAX_OF_TYPE ? 0 : (receipts.at(-1)?.index ?? 0);
  return uses.filter(
    ({ index, value }) =>
      index >= from &&
      !(Date.parse(String(value["consumed_at"])) > now - UNDER_WAY_MS) &&
      !toldOf.has(use(value, value["nonce"])) &&
      !toldOf.has(use(value, null)),
  );
}
