#!/usr/bin/env node
// An MCP server over stdio that guards the tools of another: each call goes through the boundary first.
//
//     node gateway.js FOLDER COMMAND [ARGUMENT…]
//
// FOLDER is what setup.sh made; COMMAND is the tool server. Standard output belongs to the protocol.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { CallToolRequestSchema, ListToolsRequestSchema, ResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { Boundary, Refused } from "./boundary.js";
import { decide, target } from "./policy.js";

const [folder, command, ...args] = process.argv.slice(2);
if (folder === undefined || command === undefined) {
  console.error("gateway: error: want FOLDER COMMAND [ARGUMENT…]");
  process.exit(2);
}
const say = (line) => console.error(`gateway: ${line}`);

const boundary = await Boundary.open({ folder, decide, target, onTrouble: say });
// The tool server first: what it can do is what we say that we can.
const tools = new Client({ name: "writ-mcp-gateway", version: "0.1.0" }, { capabilities: {} });
tools.onerror = (error) => say(`tool server: ${error.message}`);
await tools.connect(new StdioClientTransport({ command, args, stderr: "inherit" }));

const server = new Server(
  { name: "writ-mcp-gateway", version: "0.1.0" },
  { capabilities: { tools: {} }, instructions: tools.getInstructions() },
);

server.setRequestHandler(ListToolsRequestSchema, ({ params }, { signal }) =>
  tools.request({ method: "tools/list", params }, ResultSchema, { signal }),
);

server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal: cancelled }) => {
  // What is judged is what is sent: nobody else holds these arguments.
  const { name, arguments: given = {} } = structuredClone(params);
  try {
    return await boundary.run(name, given, (stopped) => {
      cancelled.throwIfAborted();
      const signal = AbortSignal.any([cancelled, stopped]);
      return tools.request({ method: "tools/call", params: { name, arguments: given } }, ResultSchema, { signal });
    });
  } catch (error) {
    // A refusal is an answer that the agent can read; so is any trouble: nothing was let through.
    const why = error instanceof Refused ? error.message : `it could not be established that it may: ${error.message}`;
    say(`${name}: refused: ${why}`);
    return { isError: true, content: [{ type: "text", text: `refused: ${why}` }] };
  }
});

let closing = false;
async function close(code) {
  if (closing) return;
  closing = true;
  await server.close().catch(() => {});
  await tools.close().catch(() => {});
  await boundary.close();
  process.exit(code);
}
process.stdin.on("end", () => close(0));
process.stdout.on("error", () => close(0));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => close(0));
tools.onclose = () => setImmediate(() => close(1));

// Ready or not, it answers: while the log cannot be followed every call is refused, with the reason.
await boundary.gateway.ready().catch((error) => say(error.message));
await server.connect(new StdioServerTransport());
