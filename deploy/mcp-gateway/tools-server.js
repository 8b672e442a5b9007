// A real tool server speaking MCP over stdio, which knows nothing of any log: tables are files, and can be dropped.
//
//     node tools-server.js FOLDER
//
// Standard output belongs to the protocol.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import * as z from "zod";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error("tools-server: error: want a folder");
  process.exit(2);
}

const name = z.string().regex(/^[A-Za-z0-9_-]+$/);
const text = (line) => ({ content: [{ type: "text", text: line }] });
const server = new McpServer({ name: "tables", version: "0.1.0" });

server.registerTool(
  "list_tables",
  { description: "Lists the tables of an environment.", inputSchema: { environment: name } },
  async ({ environment }) => {
    const files = await readdir(join(folder, environment));
    const tables = files.filter((file) => file.endsWith(".table")).map((file) => file.slice(0, -".table".length));
    return text(JSON.stringify(tables.toSorted()));
  },
);

server.registerTool(
  "drop_tables",
  {
    description: "Drops tables of an environment.",
    inputSchema: { environment: name, tables: z.array(name).min(1) },
    annotations: { destructiveHint: true },
  },
  async ({ environment, tables }, { signal }) => {
    for (const table of tables) {
      signal.throwIfAborted();
      await rm(join(folder, environment, `${table}.table`));
    }
    return text(`dropped ${tables.join(", ")} in ${environment}`);
  },
);

await server.connect(new StdioServerTransport());
