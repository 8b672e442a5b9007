/** How much a gateway puts up with before it says that it knows nothing. Milliseconds. */
export interface Bounds {
  /** Nothing was heard of the log. It sends a heartbeat every second. */
  readonly silenceMs: number;
  /** No checkpoint came that is signed, and consistent with those before. */
  readonly checkpointMs: number;
  /** What the log has shown is not under a checkpoint that meets the policy's quorum. */
  readonly witnessMs: number;
  /** Our clock and the log's differ. */
  readonly skewMs: number;
  /** Our clock went another way than the time that passed. */
  readonly jumpMs: number;
  /** How long one authorization may take, all in all. */
  readonly patienceMs: number;
}

export const DEFAULT_BOUNDS: Bounds = {
  silenceMs: 3_000,
  checkpointMs: 5_000,
  witnessMs: 15_000,
  skewMs: 10_000,
  jumpMs: 1_000,
  patienceMs: 5_000,
};
