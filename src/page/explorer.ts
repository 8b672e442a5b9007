/**
 * The explorer: a page on every log, and the same file without one. Everything on the screen was verified in this browser; what was not
 * yet says so. Each screen has an address after the # that opens at the same thing.
 */
import { toBase64 } from "../format/base64.js";
import { fromUtf8 } from "../format/bytes.js";
import { isRecordEntry } from "../trace/entry.js";
import { claimsOf } from "../trace/sentence.js";
import { approveView } from "./approve.js";
import { byId, element, facts, link, list, reasonOf, save } from "./dom.js";
import { fileView } from "./file.js";
import { hits } from "./hits.js";
import { answerAsWorker, isWorker, judge } from "./judging.js";
import { Fork, SeenLog } from "./seen-log.js";
import { openItemsView, statusView, witnessesView } from "./watch.js";
import { verdictView } from "./verdict-view.js";

const PAGE = 25;
const FILTERS = [
  "type",
  "issuer",
  "action_type",
  "decision",
  "outcome",
  "trace_id",
  "mission_id",
  "subject",
  "target",
  "signer",
  "digest",
  "tool_call_hash",
  "evidence",
  "party",
  "hash_prefix",
  "linked",
];

let log: SeenLog | null = null;
/** What is shown belongs to this turn: what comes late for another is dropped. */
let turn = 0;

function show(title: string, ...content: readonly (Node | string)[]): void {
  document.title = `${title} · Writ`;
  byId("pinned").textContent =
    log === null
      ? ""
      : `${log.name}${log.isFirstSight ? ": seen here for the first time, its key taken on its own word" : ""}`;
  byId("screen").replaceChildren(element("h1", {}, title), ...content);
}

function failed(error: unknown): void {
  if (error instanceof Fork) {
    byId("screen").className = "alarm";
    const { evidence } = error;
    const button = element("button", { type: "button" }, "Save the evidence");
    button.addEventListener("click", () => evidence !== null && save("fork.json", evidence));
    show(
      "TWO HISTORIES",
      element("p", { role: "alert" }, error.message),
      evidence === null
        ? "Keep the address of this page, and tell whoever runs the log's witnesses."
        : button,
    );
    return;
  }
  show(
    "This cannot be shown",
    element("p", { role: "alert", class: "again bad" }, `✗ ${reasonOf(error)}. Nothing of it was believed.`),
  );
}

async function open(): Promise<void> {
  const mine = ++turn;
  byId("screen").className = "";
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [screen = "", word = ""] = path.split("/").map(decodeURIComponent);
  const here = (): boolean => mine === turn;
  try {
    if (log === null) return show("Check a file", ...fileView(""));
    if (screen === "") await home(log, here);
    else if (screen === "entry") await entryScreen(log, Number(word), here);
    else if (screen === "trace") await traceScreen(log, word, new URLSearchParams(query), here);
    else if (screen === "impact") await impactScreen(log, word, here);
    else if (screen === "party") await searchScreen(log, new URLSearchParams({ party: word }), here);
    else if (screen === "search") await searchScreen(log, new URLSearchParams(query), here);
    else if (["open", "status", "witnesses", "approve"].includes(screen)) {
      show("Reading and verifying", element("p", { role: "status" }, "…"));
      const view = await watchView(log, screen, word, here);
      if (here()) show(...view);
    } else if (screen === "file") show("Check a file", ...fileView(log.pinned));
    else if (screen === "trust") trustScreen(log);
    else show("There is no such screen", link("#/", "Home"));
  } catch (error) {
    if (here()) failed(error);
  }
}

/** What somebody keeps an eye on, or is asked. */
async function watchView(
  of: SeenLog,
  screen: string,
  word: string,
  here: () => boolean,
): Promise<[string, ...Node[]]> {
  if (screen === "approve") return ["Approve or reject", ...(await approveView(of, word))];
  if (screen === "open") return ["Open items", ...(await openItemsView(of, here))];
  if (screen === "status") return ["Status list", ...(await statusView(of, word === "" ? 0 : Number(word)))];
  return ["Witnesses", ...witnessesView(await of.told())];
}

async function home(of: SeenLog, here: () => boolean): Promise<void> {
  const { checkpoint, seenBefore } = await of.checkpoint();
  const { entries } = await of.search(new URLSearchParams({ order: "desc", limit: "10" }));
  if (!here()) return;
  const { about } = of;
  const said = `Its signed checkpoint of ${checkpoint.size} entries was verified here${checkpoint.witnessed ? ", with the witnesses that you ask for" : ""}`;
  show(
    of.name,
    goBox(of),
    checkpoint.size < seenBefore
      ? element(
          "p",
          { class: "again bad" },
          `✗ ${said}, and you saw ${seenBefore} before: it shows you less than it did, an old copy or worse.`,
        )
      : element(
          "p",
          { class: "again good" },
          `✓ ${said}${seenBefore === 0 ? "; it is the first that you see here." : ", and extends what you saw before."}`,
        ),
    facts([
      ["entries", String(checkpoint.size)],
      ["root", toBase64(checkpoint.root)],
      ["its clock", about.time],
      [
        "witnesses",
        about.witnesses.length === 0
          ? "none: the operator vouches alone"
          : about.witnesses
              .map(
                ({ name, size, trouble }) =>
                  `${name} holds ${size}${trouble === null ? "" : ` (${trouble})`}`,
              )
              .join("; "),
      ],
      ["version", about.version],
    ]),
    element("h2", {}, "The newest"),
    hits(of, entries, here),
    element(
      "p",
      {},
      link("#/search", "Search"),
      " · ",
      link("#/open", "Open items"),
      " · ",
      link("#/status/0", "Status"),
      " · ",
      link("#/witnesses", "Witnesses"),
      " · ",
      link("#/file", "Check a file"),
      " · ",
      link("#/trust", "What is trusted here"),
    ),
  );
}

function goBox(of: SeenLog): HTMLElement {
  const input = element("input", {
    id: "go",
    "aria-label": "index, hash, id, trace id or a file's digest",
    placeholder: "an index, a hash or how one begins, a record or party id, a trace id, a file's SHA-256",
    autocomplete: "off",
    spellcheck: "false",
  }) as HTMLInputElement;
  const form = element("form", { role: "search" }, input, element("button", {}, "Show"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void screenOf(of, input.value.trim()).then((screen) => {
      location.hash = screen;
    }, failed);
  });
  return form;
}

/** Where a word leads: an entry, a party, what is about a hash or a file, a trace. */
async function screenOf(of: SeenLog, said: string): Promise<string> {
  const word = /^[0-9a-f]{64}$/i.test(said) ? `sha256:${said.toLowerCase()}` : said;
  const index = await of.find(word);
  if (index !== null) return `#/entry/${index}`;
  const searched = (name: string): string => `#/search?${new URLSearchParams({ [name]: word }).toString()}`;
  if (word.includes("://")) return searched("party");
  if (/^(?:sha256:)?[0-9a-f]{8,63}$/.test(word)) {
    const prefix = word.replace(/^(?:sha256:)?/, "sha256:");
    const { entries } = await of.search(new URLSearchParams({ hash_prefix: prefix }));
    const [only] = entries;
    if (only !== undefined && entries.length === 1) return `#/entry/${only.index}`;
    if (only !== undefined) return `#/search?hash_prefix=${prefix}`;
  }
  if (!word.startsWith("sha256:")) return searched("trace_id");
  // A file's digest: of what foreign content is about, or evidence, or a tool call.
  for (const name of ["digest", "tool_call_hash"]) {
    const { entries } = await of.search(new URLSearchParams({ [name]: word, limit: "1" }));
    if (entries.length > 0) return searched(name);
  }
  return searched("evidence");
}

async function entryScreen(of: SeenLog, index: number, here: () => boolean): Promise<void> {
  const { entry, hashes, leafHash, size, witnessed } = await of.entry(index);
  const status = await of
    .status(index)
    .then(({ state, by }) =>
      by.length === 0 ? state : `${state}, by ${by.map((one) => `#${one}`).join(", ")}`,
    )
    .catch(() => "not told");
  if (!here()) return;
  const said = isRecordEntry(entry)
    ? claimsOf(entry.record)
    : "Foreign content: bytes that are no record of ours.";
  const raw = fromUtf8(entry.stored) ?? toBase64(entry.stored);
  const pretty = isRecordEntry(entry) ? JSON.stringify(entry.record.value, null, 2) : raw;
  show(
    `Entry ${index}`,
    element(
      "p",
      { class: "again good" },
      `✓ Verified here: these very bytes are entry ${index} of the tree of ${size} that the log signed${witnessed ? ", and witnesses cosigned" : "; the operator vouches alone"}.`,
    ),
    element("p", {}, said),
    facts([
      ["record id", entry.id ?? "none"],
      ["stands", `${status} (the log's word, now)`],
      ["signed by", (entry.statement?.signatures ?? []).map(({ keyId }) => keyId).join(", ") || "nobody"],
      ["logged (the log's word)", entry.receivedAt === null ? "" : new Date(entry.receivedAt).toISOString()],
    ]),
    element(
      "p",
      {},
      entry.id === null ? "" : link(`#/trace/${entry.id}`, "Show the authority trace"),
      " · ",
      link(`#/search?linked=${entry.id ?? ""}`, "What names it"),
      " · ",
      link(`#/impact/${entry.id ?? index}`, "What relied on it"),
      " · ",
      entry.record?.type === "action-request"
        ? link(`#/approve/${entry.id ?? index}`, "Approve or reject")
        : "",
      " · ",
      link(`#/entry/${Math.max(0, index - 1)}`, "before"),
      " · ",
      link(`#/entry/${index + 1}`, "after"),
    ),
    element("h2", {}, "What it says"),
    element("pre", {}, pretty),
    element("h2", {}, "Its place in the tree"),
    element(
      "p",
      {},
      `The leaf, then what it was hashed with, level by level, up to the root of ${size} entries:`,
    ),
    list([
      `leaf ${toBase64(leafHash)}`,
      ...hashes.map((hash, level) => `${level}: ${toBase64(hash)}`),
      "✓ the root that is signed",
    ]),
    element("h2", {}, "As it is stored"),
    element("pre", {}, raw),
  );
}

async function traceScreen(
  of: SeenLog,
  id: string,
  query: URLSearchParams,
  here: () => boolean,
): Promise<void> {
  show("The authority trace", element("p", { role: "status" }, "Reading and verifying…"));
  const asOf = query.get("as_of");
  const { bundle, file } = await of.bundle(id, asOf === null ? undefined : Number(asOf));
  const began = performance.now();
  const verdict = await judge(file, of.policy, Date.now());
  const took = Math.round(performance.now() - began);
  if (!here()) return;
  const button = element("button", { type: "button" }, "Save the bundle");
  button.addEventListener("click", () => save("bundle.json", file));
  const each = query.get("each") === "1";
  const address = (more: Readonly<Record<string, string>>): string =>
    `#/trace/${encodeURIComponent(id)}?${new URLSearchParams({ ...Object.fromEntries(query), ...more }).toString()}`;
  const slider = element("input", {
    type: "range",
    min: "1",
    max: String(of.about.size),
    value: String(bundle.asOf),
    "aria-label": "as of so many entries",
  }) as HTMLInputElement;
  slider.addEventListener("change", () => {
    location.hash = address({ as_of: slider.value });
  });
  show(
    "The authority trace",
    element(
      "p",
      { class: "again good" },
      `✓ Judged here, in this browser, in ${took} ms: ${bundle.entries.length} records, every signature, proof and rule, of ${bundle.subject}.`,
    ),
    element(
      "p",
      {},
      `As of ${bundle.asOf} entries `,
      slider,
      link(address({ each: each ? "0" : "1" }), each ? "alike records as one" : "every record"),
      " · ",
      button,
    ),
    compareBox(address),
    ...(await besides(of, query, verdictView(bundle, verdict, !each), !each)),
  );
}

/** Two traces beside one another: the second is verified as the first was. */
async function besides(
  of: SeenLog,
  query: URLSearchParams,
  first: HTMLElement,
  aggregated: boolean,
): Promise<HTMLElement[]> {
  const other = query.get("with");
  if (other === null || other === "") return [first];
  const { bundle, file } = await of.bundle(other);
  const second = verdictView(bundle, await judge(file, of.policy, Date.now()), aggregated);
  return [element("div", { class: "two" }, first, second)];
}

function compareBox(address: (more: Readonly<Record<string, string>>) => string): HTMLElement {
  const input = element("input", { "aria-label": "compare with the trace of" }) as HTMLInputElement;
  const form = element("form", {}, element("label", {}, "Compare with the trace of ", input));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = address({ with: input.value.trim() });
  });
  return form;
}

/** Who relied on something: so the log says, and each record is verified by itself. */
async function impactScreen(of: SeenLog, ref: string, here: () => boolean): Promise<void> {
  const found = await of.impact(ref);
  if (!here()) return;
  show(
    "What relied on it",
    element(
      "p",
      {},
      `${found.length} records relied on ${ref}, as the log says; that there are no others is its word.`,
    ),
    hits(of, found.slice(0, MAX_IMPACT), here),
    found.length > MAX_IMPACT ? element("p", {}, `The first ${MAX_IMPACT} are shown.`) : "",
  );
}

/** Dependants that are verified one after another. */
const MAX_IMPACT = 100;

async function searchScreen(of: SeenLog, query: URLSearchParams, here: () => boolean): Promise<void> {
  const inputs = FILTERS.map((name) => {
    const input = element("input", {
      name,
      id: `f-${name}`,
      value: query.get(name) ?? "",
      autocomplete: "off",
    });
    return element("label", {}, `${name.replaceAll("_", " ")} `, input);
  });
  const form = element(
    "form",
    { role: "search", class: "filters" },
    ...inputs,
    element("button", {}, "Search"),
  ) as HTMLFormElement;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = [...new FormData(form)].flatMap(([name, value]) =>
      typeof value === "string" && value !== "" ? [[name, value]] : [],
    );
    location.hash = `#/search?${new URLSearchParams(wanted).toString()}`;
  });
  const asked = new URLSearchParams([...query].filter(([, value]) => value !== ""));
  // What a hash begins with is asked alone.
  if (!asked.has("hash_prefix")) {
    asked.set("limit", String(PAGE));
    if (!asked.has("order")) asked.set("order", "desc");
  }
  const { entries, next } = await of.search(asked);
  if (!here()) return;
  const more = new URLSearchParams(query);
  if (next !== null) more.set("cursor", next);
  show(
    "Search",
    form,
    element(
      "p",
      {},
      entries.length === 0
        ? "Nothing is found: so the log says, and nobody proves it."
        : "What is found; that there is nothing else is the log's word.",
    ),
    hits(of, entries, here),
    next === null ? "" : link(`#/search?${more.toString()}`, "More"),
  );
}

function trustScreen(of: SeenLog): void {
  const area = element("textarea", {
    rows: "5",
    id: "pin",
    "aria-label": "a verifier key, or a policy",
    spellcheck: "false",
  }) as HTMLTextAreaElement;
  area.value = of.pinned;
  const answer = element("p", { role: "status" });
  const button = element("button", { type: "button" }, "Trust this from now on");
  button.addEventListener("click", () => {
    try {
      of.pin(area.value);
      location.hash = "#/";
      location.reload();
    } catch (error) {
      answer.textContent = `✗ ${reasonOf(error)}`;
    }
  });
  show(
    "What is trusted here",
    element(
      "p",
      {},
      of.isFirstSight
        ? "The key below was told by the log itself, just now. Compare it with one that you had from somebody else."
        : "Pinned when you first saw this log, or put here by you.",
    ),
    area,
    button,
    answer,
  );
}

async function begin(): Promise<void> {
  try {
    // From a disk there is no log to ask.
    log = location.protocol === "file:" ? null : await SeenLog.open();
  } catch (error) {
    failed(error);
    return;
  }
  await open();
}

function live(): void {
  // The newest are shown as they come, while nobody looks at anything else.
  const isHome = ["", "#/", "#"].includes(location.hash);
  if (log !== null && isHome && document.visibilityState === "visible" && document.activeElement?.id !== "go")
    void open();
}

if (isWorker()) answerAsWorker();
else {
  addEventListener("hashchange", () => void open());
  setInterval(live, 10_000);
  void begin();
}
