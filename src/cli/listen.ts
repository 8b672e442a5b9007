/** What the commands that serve share: where to listen, and when to end. */
import { WritError } from "../errors.js";
import { usageError } from "./command.js";

/** `HOST:PORT`, an IPv6 host in brackets. USAGE. */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) throw usageError(`--listen: want HOST:PORT, got ${text}`);
  return { host, port };
}

export function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** ADDRESS_UNAVAILABLE for whatever listening failed with. */
export function cannotListen(host: string, port: number): (error: unknown) => never {
  return (error) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new WritError(
      "ADDRESS_UNAVAILABLE",
      `cannot listen on ${host}:${port}: ${why}`,
      {},
      { cause: error },
    );
  };
}

/** Resolves with the first SIGTERM or SIGINT; a second one ends the process where it stands. */
export async function firstSignal(): Promise<string> {
  return new Promise((resolve) => {
    let draining = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (draining) process.exit(1);
        draining = true;
        resolve(signal);
      });
    }
  });
}
