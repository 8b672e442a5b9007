/** A request, shown exactly, and answered with a key that stays in this browser. */
import { type Answer, approvalRecord, judgedOf, requestIn, shownOf } from "../report/asked.js";
import { sameBytes } from "../format/bytes.js";
import type { RecordEntry } from "../trace/entry.js";
import { Graph } from "../trace/graph.js";
import { entriesIn } from "../trace/open.js";
import { element, link, reasonOf } from "./dom.js";
import { judge } from "./judging.js";
import { makeOwnKey, type OwnKey, ownKey } from "./own-key.js";
import type { SeenLog } from "./seen-log.js";

export async function approveView(of: SeenLog, ref: string): Promise<HTMLElement[]> {
  const { bundle, file } = await of.bundle(ref);
  const verdict = await judge(file, of.policy, Date.now());
  const graph = new Graph(entriesIn(bundle).map((entry) => ({ entry, mode: "leaf" as const })));
  const request = requestIn(graph, bundle, ref);
  const answers = element("div", {});
  const own = await ownKey();
  answers.append(own === null ? keyForm(of, request, answers) : answerForm(of, request, own));
  return [
    element(
      "p",
      { class: "again good" },
      "✓ Verified here: what is shown below is what was signed, and it is in the log. Your signature will be over the id of this very request.",
    ),
    element("pre", { id: "asked" }, [...shownOf(graph, request), ...judgedOf(verdict)].join("\n")),
    answers,
    element("p", {}, link(`#/trace/${request.id}`, "Show the authority trace")),
  ];
}

function field(name: string, text: string, more: Readonly<Record<string, string>> = {}): HTMLElement {
  return element("label", {}, `${text} `, element("input", { name, id: name, required: "", ...more }));
}

function textOf(form: HTMLElement, name: string): string {
  return (form.querySelector(`[name=${name}]`) as HTMLInputElement).value.trim();
}

/** Once: a key is made here, and whoever registers keys is told of it. */
function keyForm(of: SeenLog, request: RecordEntry, place: HTMLElement): HTMLElement {
  const said = element("p", { role: "status" });
  const form = element(
    "form",
    {},
    element("h2", {}, "You have no key here yet"),
    element(
      "p",
      {},
      "A key is made in this browser, and cannot be taken out of it. Whoever registers keys has to know it once.",
    ),
    field("name", "The id that you sign as", { placeholder: "user://example/you" }),
    element("button", {}, "Make a key"),
    said,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    makeOwnKey(textOf(form, "name")).then(
      (own) => place.replaceChildren(answerForm(of, request, own)),
      (error: unknown) => said.replaceChildren(`✗ ${reasonOf(error)}`),
    );
  });
  return form;
}

function answerForm(of: SeenLog, request: RecordEntry, own: OwnKey): HTMLElement {
  const said = element("p", { role: "status", id: "answered" });
  const buttons = (["approve", "reject"] as const).map((answer) => {
    const button = element("button", { type: "button", id: answer }, answer) as HTMLButtonElement;
    button.addEventListener("click", () => {
      const seat = textOf(form, "seat");
      if (seat === "") {
        said.replaceChildren("✗ Say the role that you answer in.");
        return;
      }
      // Signed once: a second press is not a second answer.
      for (const one of buttons) one.disabled = true;
      said.replaceChildren("Signing and sending…");
      answered(of, request, own, answer, seat).then(
        (index) =>
          said.replaceChildren(
            `✓ Signed, and verified here: it is `,
            link(`#/entry/${index}`, `entry ${index}`),
          ),
        (error: unknown) => {
          for (const one of buttons) one.disabled = false;
          said.replaceChildren(`✗ ${reasonOf(error)}`);
        },
      );
    });
    return button;
  });
  const form = element(
    "form",
    {},
    element("h2", {}, "Your answer"),
    element("p", {}, `You sign as ${own.name}, with the key that was made in this browser:`),
    element("pre", { id: "vkey" }, own.vkey),
    element(
      "p",
      { class: "note" },
      "Not registered yet? Save that line as you.pub and have it registered: writ keys register you.pub --role approver --approver-role ROLE.",
    ),
    field("seat", "The role that you answer in", { placeholder: "finance" }),
    ...buttons.flatMap((button) => [button, " "]),
    said,
  );
  form.addEventListener("submit", (event) => event.preventDefault());
  return form;
}

/** Signs the answer, hands it in, and verifies that it is there: its index. Only the signed record leaves. */
async function answered(
  of: SeenLog,
  request: RecordEntry,
  own: OwnKey,
  answer: Answer,
  seat: string,
): Promise<number> {
  const record = approvalRecord(request, answer, {
    approver: own.name,
    seat,
    now: Date.now(),
    expires: null,
  });
  const index = await of.submit(await own.sign(record));
  const { entry } = await of.entry(index);
  const stored = entry.statement?.payload;
  if (stored === undefined || !sameBytes(stored, record))
    throw new Error(`the log says that it took your answer as entry ${index}, and that is something else`);
  return index;
}
