/** The HTTP interface of a log: a function from Request to Response. */
import { Hono } from "hono";
import { WritError } from "../src/errors.js";
import type { Log } from "../src/log/log.js";
import { Askers } from "./asker.js";
import { Places } from "./answers.js";
import { BodyReader } from "./body.js";
import { explorerRoutes } from "./explorer.js";
import { eventRoutes } from "./events.js";
import { errorResponse } from "./error-response.js";
import { isUnexpected } from "./problem.js";
import { Readers } from "./readers.js";
import { Receipts } from "./receipts.js";
import { scittRoutes } from "./scitt.js";
import { type LogDescription, readRoutes } from "./read.js";
import { statusRoutes } from "./status.js";
import { statusListRoutes } from "./status-lists.js";
import { submitRoutes } from "./submit.js";
import { tileRoutes } from "./tiles.js";
import { traceRoutes } from "./trace.js";

export interface AppOptions extends LogDescription {
  /** Told of errors that an operator should see; the client sees a problem body without the cause. */
  readonly onError?: (error: unknown, method: string, path: string) => void;
  /** Bytes of request bodies that may be under way at once; single statements and batches have one each. */
  readonly bodyBudget?: number;
  /** The script of the explorer's page; there is none at `/` without it. */
  readonly explorer?: string;
  /** Who asks; by the address that he has unless given. */
  readonly askers?: Askers;
}

const DEFAULT_BODY_BUDGET = 64 * 1024 * 1024;

export function createApp(log: Log, options: AppOptions): Hono {
  const app = new Hono();
  const budget = options.bodyBudget ?? DEFAULT_BODY_BUDGET;
  const bodies = new BodyReader(budget);
  const places = new Places(() => options.service?.url() ?? "");
  submitRoutes(app, log, bodies, new BodyReader(budget), places);
  const readers = new Readers(log.readers, options.askers ?? new Askers());
  const { service } = options;
  const receipts = service === undefined ? null : new Receipts(log, service);
  readRoutes(app, log, options, receipts, readers, places);
  statusRoutes(app, log);
  traceRoutes(app, log, readers);
  eventRoutes(app, log, readers);
  if (service !== undefined && receipts !== null) {
    statusListRoutes(app, log, service, readers);
    scittRoutes(app, log, service, receipts, bodies);
  }
  tileRoutes(app, log, readers);
  if (options.explorer !== undefined) explorerRoutes(app, options.explorer);

  app.options("*", (c) => preflight(c.req.path, methodsAt(app, c.req.path)));
  app.notFound((c) => {
    const methods = methodsAt(app, c.req.path);
    if (methods.length === 0)
      return errorResponse(
        c.req.path,
        new WritError("NOT_FOUND", `there is nothing at ${c.req.path.slice(0, 200)}`),
      );
    const error = new WritError(
      "METHOD_NOT_ALLOWED",
      `${c.req.method} is not for this path; it takes ${methods.join(", ")}`,
    );
    return errorResponse(c.req.path, error, { allow: methods.join(", ") });
  });
  app.onError((error, c) => {
    if (isUnexpected(error)) options.onError?.(error, c.req.method, c.req.path);
    return errorResponse(c.req.path, error);
  });
  return app;
}

/** The methods that a path answers, or none when it is not a path of ours. */
function methodsAt(app: Hono, path: string): string[] {
  const methods = ["GET", "POST"].filter((method) => {
    const [handlers] = app.router.match(method, path);
    return handlers.some(([[, route]]) => route.path !== "*" && route.path !== "/*");
  });
  if (methods.includes("GET")) methods.push("HEAD");
  return methods.length === 0 ? [] : [...methods, "OPTIONS"];
}

function preflight(path: string, methods: readonly string[]): Response {
  if (methods.length === 0)
    return errorResponse(path, new WritError("NOT_FOUND", "there is nothing at this path"));
  const reads = methods.filter((method) => method !== "POST").join(", ");
  return new Response(null, {
    status: 204,
    headers: {
      allow: methods.join(", "),
      "access-control-allow-origin": "*",
      "access-control-allow-methods": reads,
      "access-control-allow-headers": "accept, last-event-id",
      "access-control-max-age": "86400",
    },
  });
}
