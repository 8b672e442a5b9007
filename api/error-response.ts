/** The form of an error's body, which is the path's: CBOR where SCRAPI has its paths, JSON everywhere else. */
import { conciseResponse, isScittPath } from "./concise.js";
import { problemResponse } from "./problem.js";

export function errorResponse(
  path: string,
  error: unknown,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return isScittPath(path) ? conciseResponse(error, headers) : problemResponse(error, headers);
}
