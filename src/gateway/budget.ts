/**
 * The boundary budget: how long each step of an action took, by action type, as histograms beside what the organisation
 * said that it may take. What a boundary costs is a number somebody can look at, and not a feeling.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";

export const STAGES = ["proposal", "decision", "approval", "grant", "consumption", "receipt"] as const;
export type Stage = (typeof STAGES)[number];

/** By action type, the milliseconds that each stage may take; `*` for all types that are not named. */
export type Budget = Readonly<Record<string, Partial<Readonly<Record<Stage, number>>>>>;

/** How one stage of one action type stands. */
export interface StageReport {
  readonly actionType: string;
  readonly stage: Stage;
  readonly count: number;
  readonly meanMs: number;
  readonly maxMs: number;
  /** Null where none was stated. */
  readonly budgetMs: number | null;
  /** How many took longer. */
  readonly over: number;
}

const BUCKETS_S = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600, 86_400,
];
/** Action types that get numbers of their own: names come from records, and a label is kept for ever. */
const MAX_TYPES = 1000;
const MAX_GRANTS = 10_000;
const OTHER = "(other)";

export class BoundaryBudget {
  private readonly registry = new Registry();
  private readonly spent = new Histogram({
    name: "writ_boundary_seconds",
    help: "Time spent at the boundary, by action type and stage.",
    labelNames: ["action_type", "stage"],
    buckets: BUCKETS_S,
    registers: [this.registry],
  });
  private readonly stated = new Gauge({
    name: "writ_boundary_budget_seconds",
    help: "Time that a stage may take, as stated.",
    labelNames: ["action_type", "stage"],
    registers: [this.registry],
  });
  private readonly over = new Counter({
    name: "writ_boundary_over_budget_total",
    help: "Stages that took longer than stated.",
    labelNames: ["action_type", "stage"],
    registers: [this.registry],
  });
  private readonly totals = new Map<string, { -readonly [K in keyof StageReport]: StageReport[K] }>();
  private readonly types = new Set<string>();
  private readonly grants = new Set<string>();

  constructor(private readonly budget: Budget = {}) {
    for (const [type, stages] of Object.entries(budget))
      for (const stage of STAGES) {
        const ms = stages[stage];
        if (ms !== undefined) this.stated.set({ action_type: type, stage }, ms / 1000);
      }
  }

  /** One action spent so many milliseconds in a stage. */
  observe(actionType: string, stage: Stage, ms: number): void {
    const type = this.labelOf(actionType);
    const labels = { action_type: type, stage };
    const spent = Math.max(0, ms);
    const budgetMs = this.budget[actionType]?.[stage] ?? this.budget["*"]?.[stage] ?? null;
    const isOver = budgetMs !== null && spent > budgetMs;
    this.spent.observe(labels, spent / 1000);
    if (isOver) this.over.inc(labels);
    const name = `${stage} ${type}`;
    const total = this.totals.get(name) ?? {
      actionType: type,
      stage,
      count: 0,
      meanMs: 0,
      maxMs: 0,
      budgetMs,
      over: 0,
    };
    total.count++;
    total.meanMs += (spent - total.meanMs) / total.count;
    total.maxMs = Math.max(total.maxMs, spent);
    total.over += isOver ? 1 : 0;
    this.totals.set(name, total);
  }

  /** The stages before a grant, once for each grant however often it is used. */
  observeOnce(grantId: string, actionType: string, spent: readonly (readonly [Stage, number])[]): void {
    if (this.grants.has(grantId)) return;
    if (this.grants.size >= MAX_GRANTS) this.grants.clear();
    this.grants.add(grantId);
    for (const [stage, ms] of spent) this.observe(actionType, stage, ms);
  }

  /** Does it, and observes how long that took, whether it succeeded or not. */
  async time<T>(actionType: string, stage: Stage, does: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await does();
    } finally {
      this.observe(actionType, stage, performance.now() - began);
    }
  }

  report(): StageReport[] {
    return [...this.totals.values()].map((total) => ({ ...total }));
  }

  /** The text format of Prometheus. */
  async metrics(): Promise<string> {
    return this.registry.metrics();
  }

  private labelOf(type: string): string {
    if (this.types.size >= MAX_TYPES && !this.types.has(type)) return OTHER;
    this.types.add(type);
    return type;
  }
}
