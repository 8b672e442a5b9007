/** Findings, each told once while it stands. */
import type { Finding, FindingKind } from "./events.js";
import { type MonitorParts, timeText } from "./parts.js";

/** What may end and come again; what was done once stays reported. */
const PASSING: readonly FindingKind[] = [
  "silence",
  "withheld",
  "unwitnessed",
  "peer-invalid",
  "checkpoint-invalid",
  "rollback",
  "status-unjustified",
  "inconsistent",
  "entries-differ",
];

export class Reporter {
  private standing = new Set<string>();

  constructor(private readonly parts: MonitorParts) {}

  /** Does nothing that was found stand? */
  get clean(): boolean {
    return Object.keys(this.parts.state.reported).length === 0;
  }

  begin(): void {
    this.standing = new Set();
  }

  /** What was reported and does not stand any more may be reported again. */
  end(): void {
    const { reported } = this.parts.state;
    for (const id of Object.keys(reported))
      if (!this.standing.has(id) && PASSING.some((kind) => id.startsWith(`${kind}/`))) delete reported[id];
  }

  /** Was it reported already? Either way it stands in this pass. `about`: what tells it from others of its kind. */
  stands(kind: FindingKind, about: string): boolean {
    this.standing.add(`${kind}/${about}`);
    return this.parts.state.reported[`${kind}/${about}`] !== undefined;
  }

  /** Leaves a finding of before as it is: this pass could not look. */
  keepStanding(kind: FindingKind): void {
    for (const id of Object.keys(this.parts.state.reported))
      if (id.startsWith(`${kind}/`)) this.standing.add(id);
  }

  async find(
    kind: FindingKind,
    about: string,
    detail: string,
    more: { readonly index?: number; readonly evidence?: string } = {},
  ): Promise<void> {
    if (this.stands(kind, about)) return;
    const { key, now, report, state } = this.parts;
    const finding: Finding = { type: "finding", kind, log: key.name, at: timeText(now()), detail, ...more };
    await report([finding]);
    state.reported[`${kind}/${about}`] = finding.at;
  }
}
