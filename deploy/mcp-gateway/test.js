// The whole boundary, with nothing in the place of anything: a log, the gateway, a tool server and an MCP client.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const here = import.meta.dirname;
const run = promisify(execFile);
const writ = join(here, "node_modules", ".bin", "writ");
const children = [];
after(() => children.forEach((child) => child.kill("SIGTERM")));

async function startLog(folder) {
  const child = spawn(writ, ["serve", folder, "--create", "--listen", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
  children.push(child);
  let said = "";
  for await (const chunk of child.stderr) {
    said += chunk;
    const [, url, key] = /is up at (\S+) .* key is (\S+)/.exec(said) ?? [];
    if (key !== undefined) return { url, key };
  }
  throw new Error(said);
}

async function toolsOf(folder, data) {
  const client = new Client({ name: "an-agent", version: "0.1.0" });
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [join(here, "gateway.js"), folder, process.execPath, join(here, "tools-server.js"), data],
      stderr: "ignore",
    }),
  );
  return client;
}

async function traces(log, receipts) {
  const { stdout } = await run(writ, ["search", "--type", "execution-receipt", "--log", log.url, "--key", log.key, "--json"]);
  const found = JSON.parse(stdout);
  assert.equal(found.entries.length, receipts);
  return found.entries.map(({ record_id: id, record }) => ({ id, outcome: record.outcome }));
}

async function verdict(log, id) {
  const { stdout } = await run(writ, ["trace", id, "--log", log.url, "--key", log.key, "--json"]).catch((error) => error);
  return JSON.parse(stdout).verdict;
}

test("an agent's tool call is requested, decided, granted, used up, made and recorded; after the revocation it is refused", async () => {
  const scratch = await mkdtemp(join(tmpdir(), "writ-mcp-"));
  const [logFolder, folder, data] = ["log", "boundary", "data"].map((name) => join(scratch, name));
  await mkdir(join(data, "staging"), { recursive: true });
  for (const table of ["tmp_a", "tmp_b", "orders"]) await writeFile(join(data, "staging", `${table}.table`), "");
  const log = await startLog(logFolder);
  const registrar = join(logFolder, "keys", "registrar.key");
  const { stdout } = await run(join(here, "setup.sh"), [folder, log.url, log.key, registrar], { cwd: here });
  const standing = stdout.trim();

  const agent = await toolsOf(folder, data);
  const call = async (name, args) => {
    const { isError = false, content } = await agent.callTool({ name, arguments: args });
    return [isError, content[0].text];
  };
  const { tools } = await agent.listTools();
  assert.deepEqual(tools.map(({ name }) => name).toSorted(), ["drop_tables", "list_tables"]);
  assert.deepEqual(await call("list_tables", { environment: "staging" }), [false, '["orders","tmp_a","tmp_b"]']);
  const drop = { environment: "staging", tables: ["tmp_a"] };
  assert.deepEqual(await call("drop_tables", drop), [false, "dropped tmp_a in staging"]);
  const [isError, why] = await call("drop_tables", { environment: "production", tables: ["orders"] });
  assert.ok(isError && /nothing is dropped in production/.test(why), why);

  await run(writ, ["revoke", standing, "--sign", join(folder, "authority.key"), "--reason", "a test", "--log", log.url, "--key", log.key]);
  const [refused, reason] = await call("drop_tables", { environment: "staging", tables: ["tmp_b"] });
  assert.ok(refused && /revoked/i.test(reason), reason);
  assert.deepEqual((await readdir(join(data, "staging"))).toSorted(), ["orders.table", "tmp_b.table"]);
  await agent.close();

  const receipts = await traces(log, 4);
  assert.deepEqual(receipts.map(({ outcome }) => outcome), ["executed", "executed", "refused", "refused"]);
  assert.equal(await verdict(log, receipts[1].id), "AUTHORIZED");
  // What the boundary prevented is its success, and nobody's violation.
  assert.equal(await verdict(log, receipts[2].id), "NOT_EXECUTED");
  assert.equal(await verdict(log, receipts[3].id), "NOT_EXECUTED");
  assert.match(await readFile(join(folder, "boundary.json"), "utf8"), /standing_grants/);
});
