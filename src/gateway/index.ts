/** `writ/gateway`: what a policy enforcement point imports. Grants are used once, receipts are never lost, doubt is a no. */
export { type Bounds, DEFAULT_BOUNDS } from "./bounds.js";
export { BoundaryBudget, type Budget, type Stage, type StageReport, STAGES } from "./budget.js";
export {
  Gateway,
  type GatewayOptions,
  type Permit,
  type ReceiptMembers,
  type Recorded,
} from "./gateway.js";
export type { JudgedGrant } from "./grant.js";
export type { Clocks, Health, Reason } from "./senses.js";
export type { ProposedAction } from "./grant.js";
export { parsePolicy, type Policy } from "../format/policy.js";
export { WritError } from "../errors.js";
