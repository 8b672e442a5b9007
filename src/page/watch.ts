/** What somebody keeps an eye on: open items, status lists, witnesses. */
import { CONSUMED, LIST_ENTRIES, readBits, REVOKED, SUSPENDED } from "../index/bits.js";
import {
  findOpenItems,
  isOfKind,
  MAX_ASKED,
  MAX_OF_TYPE,
  type OpenItem,
  type OpenKind,
  whatToDo,
} from "../report/open-items.js";
import { element, facts, link, list } from "./dom.js";
import { hits } from "./hits.js";
import type { LogAnswer, SeenLog } from "./seen-log.js";

/** Items of a kind that are verified and shown. */
const MAX_SHOWN = 50;

export async function openItemsView(of: SeenLog, here: () => boolean): Promise<HTMLElement[]> {
  const items = await findOpenItems(
    {
      search: async (type, limit, cursor) => {
        const query = new URLSearchParams({ type, order: "desc", limit: String(limit) });
        if (cursor !== null) query.set("cursor", cursor);
        const { entries, next } = await of.search(query);
        const found = entries.flatMap(({ index, record }) =>
          record === null ? [] : [{ index, value: record }],
        );
        return { found, next };
      },
      state: async (index) => {
        if (!here()) throw new Error("nobody looks any more");
        return (await of.status(index)).state;
      },
    },
    Date.now(),
  );
  const kinds = [...new Set(items.map(({ kind }) => kind))];
  return [
    element(
      "p",
      {},
      items.length === 0
        ? "Nothing is open, as the log says."
        : `${items.length} are open, as the log says; that there are no others is its word.`,
      ` The newest ${MAX_OF_TYPE} records of each type were looked at, and the standing of ${MAX_ASKED} of them.`,
    ),
    ...kinds.flatMap((kind) => {
      const all = items.filter((item) => item.kind === kind);
      const more = all.length > MAX_SHOWN ? `, of which the newest ${MAX_SHOWN} are shown` : "";
      return [
        element("h2", {}, `${kind}: ${all.length}${more}`),
        rowsOf(of, kind, all.slice(0, MAX_SHOWN), here),
      ];
    }),
  ];
}

function rowsOf(of: SeenLog, kind: OpenKind, items: readonly OpenItem[], here: () => boolean): HTMLElement {
  return hits(
    of,
    items.map(({ index, value }) => ({ index, record: value, received_at: "" })),
    here,
    // From the record that was verified, not from what was found.
    ({ value }) =>
      isOfKind(kind, value, Date.now()) ? whatToDo({ kind, value }) : "it is not what the log says it is",
  );
}

/** How each value is told, and drawn: as bright as it is unlike the others, and counted in words beside. */
const STANDINGS = [
  { bits: REVOKED, name: "revoked", colour: [179, 38, 30] },
  { bits: SUSPENDED, name: "suspended", colour: [224, 142, 0] },
  { bits: CONSUMED, name: "used up", colour: [21, 88, 176] },
] as const;
/** Entries a row, by how many there are: a small log is seen as well as a full list. */
const ROWS = [
  { upTo: 1_024, entries: 64 },
  { upTo: 16_384, entries: 128 },
  { upTo: LIST_ENTRIES, entries: 512 },
] as const;
/** Places that are named one by one. */
const MAX_NAMED = 200;

export async function statusView(of: SeenLog, k: number): Promise<HTMLElement[]> {
  const { bits, treeSize, sweptTo, issuedAt, expiresAt } = await of.statusList(k);
  const first = k * LIST_ENTRIES;
  const isOld = expiresAt < Date.parse((await of.told()).time);
  const size = Math.max(0, Math.min(LIST_ENTRIES, treeSize - first));
  const places = STANDINGS.map(({ bits: wanted }) =>
    Array.from({ length: size }, (_, place) => place).filter((place) => readBits(bits, place) === wanted),
  );
  const known = places.reduce((sum, { length }) => sum + length, 0);
  const lists = Math.ceil(treeSize / LIST_ENTRIES);
  return [
    element(
      "p",
      { class: `again ${isOld ? "bad" : "good"}` },
      `${isOld ? "✗ OLD, and of no use for today" : "✓ Verified here"}: list ${k}, signed by the log at ${new Date(issuedAt).toISOString()}, of a tree of ${treeSize} entries. That its bits are right is the log's word, which monitors check.`,
    ),
    facts([
      ["entries", size === 0 ? "none" : `${first} to ${first + size - 1}`],
      ["nothing said against", String(size - known)],
      ...STANDINGS.map(({ name }, i) => [name, String(places[i]?.length ?? 0)] as const),
      ["followed to what depends on it", `revocations before entry ${sweptTo}`],
    ]),
    heatMap(bits, size, first),
    element(
      "p",
      { class: "note" },
      `Entries from left to right, ${rowOf(size)} a row: light grey valid, red revoked, amber suspended, blue used up, white not there yet. Press one to see it.`,
    ),
    ...STANDINGS.flatMap(({ name }, i) => {
      const named = places[i] ?? [];
      if (named.length === 0) return [];
      const more = named.length > MAX_NAMED ? `, the first ${MAX_NAMED} of them` : "";
      return [
        element("h2", {}, `${name}: ${named.length}${more}`),
        element(
          "p",
          {},
          ...named
            .slice(0, MAX_NAMED)
            .flatMap((place) => [link(`#/entry/${first + place}`, `#${first + place}`), " "]),
        ),
      ];
    }),
    element(
      "p",
      {},
      k > 0 ? link(`#/status/${k - 1}`, "The list before") : "",
      " ",
      k + 1 < lists ? link(`#/status/${k + 1}`, "The next list") : "",
    ),
  ];
}

function rowOf(size: number): number {
  return ROWS.find(({ upTo }) => size <= upTo)?.entries ?? 512;
}

function heatMap(bits: Uint8Array, size: number, first: number): HTMLElement {
  const width = rowOf(size);
  const height = Math.max(1, Math.ceil(size / width));
  const canvas = element("canvas", {
    width: String(width),
    height: String(height),
    role: "img",
    "aria-label": "the standing of each entry of this list; the same is said in words around it",
  }) as HTMLCanvasElement;
  const context = canvas.getContext("2d");
  if (context === null) return canvas;
  const image = context.createImageData(width, height);
  for (let place = 0; place < width * height; place++) {
    const standing = STANDINGS.find(({ bits: wanted }) => wanted === readBits(bits, place));
    const [red, green, blue] = place < size ? (standing?.colour ?? [218, 220, 224]) : [255, 255, 255];
    image.data.set([red, green, blue, 255], 4 * place);
  }
  context.putImageData(image, 0, 0);
  canvas.addEventListener("click", ({ offsetX, offsetY }) => {
    const column = Math.floor((offsetX / canvas.clientWidth) * width);
    const row = Math.floor((offsetY / canvas.clientHeight) * height);
    const place = row * width + column;
    if (place < size) location.hash = `#/entry/${first + place}`;
  });
  return canvas;
}

/** Who is how far, and what they complain of: the log's word, but for what is under its checkpoint. */
export function witnessesView({
  witnesses,
  size,
  witnesses_required: required,
  cosignatures_renewed_after_s: renewed,
}: LogAnswer): HTMLElement[] {
  if (witnesses.length === 0)
    return [
      element(
        "p",
        {},
        "This log has no witnesses: its operator vouches alone that it shows everybody the same.",
      ),
    ];
  return [
    element(
      "p",
      {},
      `So the log says. What was cosigned is verified under each checkpoint when a policy that names the witnesses is trusted here. ${
        required === null
          ? "It publishes without waiting for them."
          : `It publishes nothing without: ${required}.`
      }${renewed === null ? "" : ` Their words are renewed every ${renewed} s.`}`,
    ),
    ...witnesses.flatMap((one) => [
      element("h2", {}, one.name),
      facts([
        ["how far", `${one.size} of ${size} entries${one.size < size ? `: ${size - one.size} behind` : ""}`],
        ["last cosigned", one.cosigned_at ?? "never since the log was started"],
        ["asked at", one.url ?? ""],
        ["trouble", one.trouble ?? "none"],
      ]),
      one.fork_alarm === null || one.fork_alarm === undefined
        ? element("p", {}, "It has raised no alarm, as the log says.")
        : element(
            "p",
            { class: "again bad" },
            `✗ ${one.fork_alarms} alarms, from ${one.fork_alarm.first_at} to ${one.fork_alarm.last_at}: it could not verify that the log extends what it holds (${one.fork_alarm.why}).`,
          ),
    ]),
    list([link("#/trust", "What is trusted here")]),
  ];
}
