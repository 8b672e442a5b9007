/** Options that are a number of seconds. */
import { type Invocation, usageError } from "./command.js";

/** What a timer can hold. */
const MAX_SECONDS = 2_147_483;

/** The option in milliseconds. */
export function millisecondsOf(invocation: Invocation, name: string, otherwise: number): number {
  const seconds = Number(invocation.text(name) ?? otherwise);
  if (!(seconds > 0 && seconds <= MAX_SECONDS))
    throw usageError(`--${name}: want seconds above 0, at most ${MAX_SECONDS}`);
  return seconds * 1000;
}
