/** How many runs a property gets: some by default, many with SLOW=1. */
export const SLOW = process.env["SLOW"] === "1";
export const RUNS = SLOW ? 20_000 : 200;
export const FUZZ_RUNS = SLOW ? 2_000_000 : 5_000;
export const skipUnlessSlow = SLOW ? false : "slow; set SLOW=1";
