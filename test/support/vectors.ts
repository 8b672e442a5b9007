/** Data of other projects, read where it lies and skipped with a message where it does not. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** The folder of vectors: beside the project, or where WRIT_VECTORS says. */
export const VECTORS =
  process.env["WRIT_VECTORS"] ?? resolve(import.meta.dirname, "../../../../shared/vectors");

/** Why a test of vectors is skipped, or false. */
export function without(name: string): string | false {
  return existsSync(join(VECTORS, name)) ? false : `vectors/${name} is not here`;
}

export function readVector(name: string): Buffer {
  return readFileSync(join(VECTORS, name));
}

export function readJsonVector(name: string): unknown {
  return JSON.parse(readVector(name).toString("utf8"));
}
