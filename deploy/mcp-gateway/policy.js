// The policy of this example, in the place of a real engine: tables are dropped in staging only, and never more than five.
export function decide(name, args) {
  if (name !== "drop_tables") return { allow: true, reason: `${name} changes nothing` };
  const { environment, tables } = args;
  if (environment !== "staging") return { allow: false, reason: `nothing is dropped in ${String(environment)}` };
  if (!Array.isArray(tables) || tables.length > 5)
    return { allow: false, reason: "at most five tables are dropped at once" };
  return { allow: true, reason: "a small clean-up of staging" };
}

/** What a call is done to. */
export function target(_name, args) {
  return { environment: typeof args.environment === "string" ? args.environment : "unknown" };
}
