/** Which room may import which: downstairs only, and never a sibling. The offending import is named. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";

const PROJECT = resolve(import.meta.dirname, "../..");

/** Floors, from the ground up. Rooms of one floor do not see each other, but for the pairs in `NEIGHBOURS`. */
const FLOORS: readonly (readonly string[])[] = [
  ["src/crypto"],
  ["merkle"],
  ["src/errors.ts", "src/durable.ts"],
  ["src/thread.ts", "src/breath.ts"],
  ["src/format", "src/statement", "src/record"],
  ["src/store"],
  ["src/index"],
  ["src/status-list", "src/webhook"],
  ["src/trace"],
  ["src/log/tree", "src/log/clock.ts", "src/client", "src/verify", "src/demo", "witness"],
  ["src/log/admit", "src/log/witnessed", "src/report"],
  ["src/log/state", "src/page"],
  ["src/log/sequence", "src/log/feed", "src/log/ask", "src/log/check"],
  ["src/log/view.ts"],
  ["src/log/log.ts"],
  ["src/log/open.ts"],
  ["api", "src/monitor", "src/gateway", "src/hooks"],
  ["src/cli"],
];

/** bytes ⇄ values, pure, in this order: a statement is made of formats, a record travels in a statement. */
const NEIGHBOURS: readonly (readonly [string, string])[] = [
  ["src/statement", "src/format"],
  ["src/record", "src/format"],
  ["src/record", "src/statement"],
];

/** All that a room may see: the witness is run by people who do not trust the log. */
const ONLY: Readonly<Record<string, readonly string[]>> = {
  witness: ["witness", "src/crypto", "merkle", "src/errors.ts", "src/thread.ts", "src/format"],
};

/** Rooms that run in a browser: no `node:` import, no Buffer. */
const PURE = [
  "merkle",
  "src/format",
  "src/statement",
  "src/record",
  "src/verify",
  "src/index",
  "src/trace",
  "src/errors.ts",
];

/** Packages that only some rooms may use. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  hono: ["api", "witness"],
  "@hono/node-server": ["api", "witness"],
  level: ["src/store", "witness"],
  undici: ["src/client", "src/log/witnessed", "src/monitor", "src/webhook"],
  "sodium-native": ["src/crypto"],
  "@noble/ed25519": ["src/crypto"],
  "@noble/curves": ["src/crypto"],
  "@noble/hashes": ["src/crypto"],
  "@noble/post-quantum": ["src/format"],
  "cbor-x": ["src/statement"],
  pino: ["src/cli"],
  "prom-client": ["src/gateway"],
};

interface Import {
  readonly from: string;
  readonly target: string;
}

function sources(folder: string): string[] {
  return readdirSync(join(PROJECT, folder), { withFileTypes: true, recursive: true })
    .filter((file) => file.isFile() && file.name.endsWith(".ts"))
    .map((file) => relative(PROJECT, join(file.parentPath, file.name)));
}

const FILES = ["merkle", "src", "api", "witness"].flatMap(sources);

function importsOf(file: string): Import[] {
  const text = readFileSync(join(PROJECT, file), "utf8");
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)[^"';]*?from\s+"([^"]+)"|\bimport\(\s*"([^"]+)"|(?:^|\n)import\s+"([^"]+)"/g,
  );
  return [...found].map(([, a, b, c]) => ({ from: file, target: a ?? b ?? c ?? "" }));
}

const IMPORTS = FILES.flatMap(importsOf);

function roomOf(path: string): string {
  const room = FLOORS.flat().find((candidate) => path === candidate || path.startsWith(`${candidate}/`));
  assert.ok(room, `${path} is in no room: give it one in this test`);
  return room;
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room));
}

/** The file in this project that an import names, or null for a package. */
function fileOf({ from, target }: Import): string | null {
  if (target === "#crypto") return "src/crypto/node.ts";
  if (!target.startsWith(".")) return null;
  return relative(PROJECT, resolve(PROJECT, dirname(from), target)).replace(/\.js$/, ".ts");
}

/** The imports that a room must not have, as sentences. */
export function offences(imports: readonly Import[]): string[] {
  return imports.flatMap((one) => {
    const file = fileOf(one);
    if (file === null) return [];
    const [room, target] = [roomOf(one.from), roomOf(file)];
    const allowed =
      room === target ||
      floorOf(target) < floorOf(room) ||
      NEIGHBOURS.some(([a, b]) => a === room && b === target);
    if (ONLY[room]?.includes(target) === false)
      return [`${one.from} imports ${file}: ${room} may see ${ONLY[room].join(", ")} only`];
    return allowed ? [] : [`${one.from} imports ${file}: ${room} may not see ${target}`];
  });
}

test("imports go downstairs only", () => {
  assert.ok(IMPORTS.length > 200, "the imports were found at all");
  assert.deepEqual(offences(IMPORTS), []);
});

test("the check itself names an offender", () => {
  const planted = { from: "src/store/level.ts", target: "../log/log.js" };
  assert.deepEqual(offences([planted]), [
    "src/store/level.ts imports src/log/log.ts: src/store may not see src/log/log.ts",
  ]);
});

test("the browser's rooms have no node: import and no Buffer", () => {
  const pure = FILES.filter((file) => PURE.includes(roomOf(file)));
  const node = IMPORTS.filter(({ from, target }) => pure.includes(from) && target.startsWith("node:"));
  assert.deepEqual(node, []);
  assert.deepEqual(
    pure.filter((file) =>
      /\bBuffer\b/.test(readFileSync(join(PROJECT, file), "utf8").replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, "")),
    ),
    [],
  );
});

test("packages are used where they belong, and all that are declared are used", () => {
  const used = new Set<string>();
  for (const { from, target } of IMPORTS) {
    if (target.startsWith(".") || target.startsWith("node:") || target === "#crypto") continue;
    const name = target.startsWith("@")
      ? target.split("/").slice(0, 2).join("/")
      : (target.split("/")[0] ?? "");
    used.add(name);
    assert.ok(PACKAGES[name]?.includes(roomOf(from)), `${from} may not import ${name}`);
  }
  const { dependencies } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8")) as {
    dependencies: Record<string, string>;
  };
  assert.deepEqual([...used].sort(), Object.keys(dependencies).sort());
  for (const version of Object.values(dependencies))
    assert.match(version, /^\d+\.\d+\.\d+$/, "pinned exactly");
});

test("no room imports in circles", () => {
  const next = new Map(
    FILES.map((file) => [
      file,
      importsOf(file)
        .map(fileOf)
        .filter((to) => to !== null),
    ]),
  );
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(file), `a circle: ${[...trail, file].join(" → ")}`);
    if (done.has(file)) return;
    for (const to of next.get(file) ?? []) visit(to, [...trail, file]);
    done.add(file);
  };
  for (const file of FILES) visit(file, []);
});

test("every route says above its path what it costs at worst", () => {
  const silent = FILES.filter((file) => file.startsWith("api/")).flatMap((file) => {
    const lines = readFileSync(join(PROJECT, file), "utf8").split("\n");
    return lines.flatMap((line, i) => {
      if (!/^\s*app\.(?:get|post)\("/.test(line)) return [];
      const said = lines.slice(0, i).findLast((one) => !/^\s*if \(/.test(one)) ?? "";
      return /^\s*\/\/ (?:Costs|The same)|^\s*\/\/ .*\bcosts?\b/.test(said) || isLongComment(lines, i)
        ? []
        : [`${file}: ${line.trim()}`];
    });
  });
  assert.deepEqual(silent, []);
});

/** Does a comment of several lines above a place begin with what it costs? */
function isLongComment(lines: readonly string[], at: number): boolean {
  let first = at;
  while (/^\s*\/\//.test(lines[first - 1] ?? "")) first--;
  return /^\s*\/\/ Costs/.test(lines[first] ?? "");
}
