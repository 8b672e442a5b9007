/** A request, shown exactly, and answered with a key that stays in this browser. */
import { type Answer, approvalRecord, judgedOf, requestIn, shownOf } from "../report/asked.js";
import { toBase64 } from "../format/base64.js";
import { parseStatement } from "../statement/parse.js";
import type { RecordEntry } from "../trace/entry.js";
import { Graph } from "../trace/graph.js";
import { entriesIn } from "../trace/open.js";
import { element, link, reasonOf } from "./dom.js";
import { judge } from "./judging.js";
import { makeOwnKey, type OwnKey, ownKey } from "./own-key.js";
import { Refused, type SeenLog } from "./seen-log.js";

export async function approveView(of: SeenLog, ref: string): Promise<HTMLElement[]> {
  const { bundle, file } = await of.bundle(ref);
  const verdict = await judge(file, of.policy, Date.now());
  const graph = Graph.of(entriesIn(bundle));
  const request = requestIn(graph, bundle, ref, verdict);
  const answers = element("div", {});
  answers.append(
    await ownKey().then(
      (own) => (own === null ? keyForm(of, request, answers) : answerForm(of, request, own)),
      (error: unknown) =>
        element(
          "p",
          { role: "status" },
          `✗ This browser keeps no keys here (${reasonOf(error)}): answer with writ approve.`,
        ),
    ),
  );
  return [
    element(
      "p",
      { class: "again good" },
      "✓ Verified here: what is shown below is what was signed, and it is in the log. Your signature will be over the id of this very request.",
    ),
    element("pre", { id: "asked" }, [...shownOf(graph, request, verdict), ...judgedOf(verdict)].join("\n")),
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
  const button = element("button", {}, "Make a key") as HTMLButtonElement;
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
    button,
    said,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.disabled = true;
    makeOwnKey(textOf(form, "name")).then(
      (own) => place.replaceChildren(answerForm(of, request, own)),
      (error: unknown) => {
        button.disabled = false;
        said.replaceChildren(`✗ ${reasonOf(error)}`);
      },
    );
  });
  return form;
}

/** Once signed, those very bytes are what is sent, again and again if need be: one answer, whatever was lost on the way. */
function answerForm(of: SeenLog, request: RecordEntry, own: OwnKey): HTMLElement {
  const said = element("p", { role: "status", id: "answered" });
  let signed: Uint8Array | null = null;
  const buttons = (["approve", "reject"] as const).map((answer) => {
    const button = element("button", { type: "button", id: answer }, answer) as HTMLButtonElement;
    button.addEventListener("click", () => void press(answer, button));
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

  async function press(answer: Answer, pressed: HTMLButtonElement): Promise<void> {
    const seat = textOf(form, "seat");
    if (seat === "") {
      said.replaceChildren("✗ Say the role that you answer in.");
      return;
    }
    for (const one of buttons) one.disabled = true;
    said.replaceChildren("Signing and sending…");
    try {
      signed ??= await own.sign(
        approvalRecord(request, answer, { approver: own.name, seat, now: Date.now(), expires: null }),
      );
      const index = await of.submit(signed);
      said.replaceChildren(
        await confirmed(of, signed, index),
        " ",
        link(`#/entry/${index}`, `entry ${index}`),
      );
    } catch (error) {
      const isRefused = error instanceof Refused;
      // Refused, it was never taken in: another answer may be given. Otherwise the same one may be sent again.
      if (isRefused) signed = null;
      for (const one of buttons) one.disabled = !isRefused && one !== pressed;
      said.replaceChildren(
        isRefused
          ? `✗ ${reasonOf(error)}`
          : `? Signed; whether the log has it is not known (${reasonOf(error)}). Press again to send the very same answer: it is taken once.`,
      );
    }
  }
}

/** Is what was sent what stands there? */
async function confirmed(of: SeenLog, sent: Uint8Array, index: number): Promise<string> {
  try {
    const { entry } = await of.entry(index);
    const isSame = signatureIn(entry.stored) === signatureIn(sent);
    return isSame
      ? "✓ Signed, and verified here: it is"
      : "✗ The log says that it took your answer, and something else stands there:";
  } catch (error) {
    return `? Signed and sent, and taken in as the log says; not verified yet (${reasonOf(error)}). Look again in a while:`;
  }
}

/** What is signed and the signature over it, whatever the form around them. */
function signatureIn(envelope: Uint8Array): string {
  const { signedBytes, signatures } = parseStatement(envelope, "dsse");
  return [signedBytes, ...signatures.map(({ signature }) => signature)].map(toBase64).join(" ");
}
