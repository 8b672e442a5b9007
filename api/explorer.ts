/** `GET /`: the explorer, one file that asks this log alone. */
import { createHash } from "node:crypto";
import type { Hono } from "hono";
import { explorerPage } from "../src/report/explorer.js";

/** `script`: of the page, as it was built. */
export function explorerRoutes(app: Hono, script: string): void {
  const { html, policy } = explorerPage(script);
  const etag = `"${createHash("sha256").update(html).digest("hex").slice(0, 32)}"`;
  const headers = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy,
    "cache-control": "no-cache",
    "referrer-policy": "no-referrer",
    etag,
  };
  // Costs a file of 350 KB from memory.
  app.get("/", (c) =>
    c.req.header("if-none-match") === etag
      ? new Response(null, { status: 304, headers })
      : new Response(html, { headers }),
  );
}
