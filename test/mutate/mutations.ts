/** Lines that would break the log if they were otherwise, each with the tests that must notice. */
export interface Mutation {
  readonly what: string;
  readonly file: string;
  /** Stands in the file once. */
  readonly line: string;
  readonly broken: string;
  /** Test files below `test`, without their ending. */
  readonly tests: readonly string[];
}

export const MUTATIONS: readonly Mutation[] = [
  {
    what: "a group larger than a commit never gets its turn",
    file: "src/log/sequence/sequencer.ts",
    line: "fits < 0 ? this.queue.length : Math.max(1, fits)",
    broken: "fits < 0 ? this.queue.length : fits",
    tests: ["log/durable"],
  },
  {
    what: "the same statement twice in a batch has two places",
    file: "src/log/sequence/sequencer.ts",
    line: "if (twin !== undefined) return { index: twin, isNew: false };",
    broken: "",
    tests: ["log/log"],
  },
  {
    what: "a failed commit is passed over",
    file: "src/log/sequence/sequencer.ts",
    line: "return rejectAll(this.fail(error));",
    broken: "return rejectAll(error);",
    tests: ["log/log"],
  },
  {
    what: "a leap of the clock is believed",
    file: "src/log/clock.ts",
    line: "const isLeap = leap > LEAP_MS;",
    broken: "const isLeap = false;",
    tests: ["log/clock"],
  },
  {
    what: "a kept checkpoint is opened whatever its root",
    file: "src/log/check/start.ts",
    line: "if (head?.size !== checkpoint.size || !sameHash(head.root, checkpoint.root)) return null;",
    broken: "if (head?.size !== checkpoint.size) return null;",
    tests: ["log/durable"],
  },
  {
    what: "a log starts behind its witnesses",
    file: "src/log/check/start.ts",
    line: '    if (fault !== null)\n      throw new WritError(\n        "LOG_BEHIND"',
    broken: '    if (fault === "")\n      throw new WritError(\n        "LOG_BEHIND"',
    tests: ["log/clock"],
  },
  {
    what: "the database is written without a sync",
    file: "src/store/level.ts",
    line: "await guard(batch.write({ sync: true }));",
    broken: "await guard(batch.write());",
    tests: ["log/durable"],
  },
  {
    what: "the witness's journal is not synced",
    file: "witness/journal.ts",
    line: "    await this.file.datasync();\n",
    broken: "",
    tests: ["log/durable"],
  },
  {
    what: "one of several sweeps marks them all done",
    file: "src/log/state/sweeps.ts",
    line: "if (this.queue[0]?.at !== sweep.at && sweep.at > this.doneTo) {",
    broken: "if (sweep.at > this.doneTo) {",
    tests: ["log/durable"],
  },
  {
    what: "a used request may be used again",
    file: "src/log/state/uses.ts",
    line: "if (uses < most || lastUse === null) return undefined;",
    broken: "if (uses <= most || lastUse === null) return undefined;",
    tests: ["log/gate", "log/rules"],
  },
  {
    what: "a revoked grant may be used",
    file: "src/log/state/uses.ts",
    line: "if (state.revokedBy !== null) return refuse(",
    broken: "if (state.revokedBy === -1) return refuse(",
    tests: ["log/gate"],
  },
  {
    what: "a failed act gives its use back to anybody",
    file: "src/log/state/uses.ts",
    line: "calls.findIndex((call) => call.signers.some((signer) => signers.includes(signer)))",
    broken: "calls.findIndex(() => true)",
    tests: ["log/gate", "log/rules"],
  },
  {
    what: "early revocations of one signer are not bounded",
    file: "src/log/state/revocations.ts",
    line: "if (there.all < MAX_EARLY_OF_DOMAIN && most < MAX_EARLY_OF_SIGNER) return undefined;",
    broken: "if (there.all < MAX_EARLY_OF_DOMAIN) return undefined;",
    tests: ["log/early"],
  },
  {
    what: "early revocations of one domain are not bounded",
    file: "src/log/state/revocations.ts",
    line: "if (there.all < MAX_EARLY_OF_DOMAIN && most < MAX_EARLY_OF_SIGNER) return undefined;",
    broken: "if (most < MAX_EARLY_OF_SIGNER) return undefined;",
    tests: ["log/early"],
  },
  {
    what: "a revocation in another envelope acts again",
    file: "src/log/state/revocations.ts",
    line: "if (this.repeated.has(hexOf(entry))) return [];",
    broken: "",
    tests: ["log/early"],
  },
  {
    what: "one asker may have the whole budget",
    file: "src/log/ask/budget.ts",
    line: "if (own + bytes > this.bytes * ASKER_SHARE)",
    broken: "if (own + bytes > this.bytes)",
    tests: ["api/readers"],
  },
  {
    what: "all readers together may have more than there is",
    file: "src/log/ask/budget.ts",
    line: "if (this.total + bytes > this.bytes) throw busy(",
    broken: "if (this.total + bytes < 0) throw busy(",
    tests: ["api/readers"],
  },
  {
    what: "a page of a search has no bound in bytes",
    file: "src/log/ask/queries.ts",
    line: "if (entries.length > 0 && bytes > MAX_PAGE_BYTES) return { entries, isCut: true };",
    broken: "",
    tests: ["api/readers"],
  },
  {
    what: "whoever is gone keeps what he held",
    file: "api/readers.ts",
    line: '    if (outgoing !== undefined) outgoing.once("close", end);\n',
    broken: "",
    tests: ["api/readers"],
  },
  {
    what: "an answer that nobody takes is kept for ever",
    file: "api/readers.ts",
    line: "watch = setTimeout(() => cut(outgoing, end), this.stuckMs).unref();",
    broken: "",
    tests: ["api/readers"],
  },
  {
    what: "what several ask for is made for each",
    file: "api/readers.ts",
    line: "if (known !== undefined) return known;",
    broken: "",
    tests: ["api/readers"],
  },
  {
    what: "there is no limit on listeners",
    file: "api/events.ts",
    line: "if (this.listeners.size >= MAX_LISTENERS)",
    broken: "if (this.listeners.size < 0)",
    tests: ["api/listeners"],
  },
  {
    what: "one asker may have every place to listen",
    file: "api/events.ts",
    line: "if (own >= MAX_LISTENERS * ASKER_SHARE)",
    broken: "if (own < 0)",
    tests: ["api/listeners"],
  },
  {
    what: "a header that anybody can write says who asks",
    file: "api/asker.ts",
    line: "while (this.isProxy(address)) {",
    broken: "while (path.length > 0) {",
    tests: ["api/readers"],
  },
  {
    what: "a checkpoint counts without the quorum",
    file: "src/log/witnessed/witnessing.ts",
    line: "round.met ||= policy.quorum === null || quorumMet(policy, round.signed);",
    broken: "round.met ||= true;",
    tests: ["log/witnessing"],
  },
  {
    what: "an older quorum overtakes a newer one on its way to disk",
    file: "src/log/witnessed/witnessing.ts",
    line: "if (witnessed.size < this.keepingSize) return;",
    broken: "",
    tests: ["log/witnessing"],
  },
  {
    what: "a witness's line is believed without being verified",
    file: "src/log/witnessed/witnessing.ts",
    line: 'if (names.length === 0) return this.fail(endpoint, "200 without a line by a key of the policy");',
    broken: "",
    tests: ["log/witnessing"],
  },
];
