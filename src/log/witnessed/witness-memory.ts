/** What a log keeps of its witnesses between starts. Losing it costs a round trip with each, and the alarms. */

export interface WitnessAlarm {
  readonly count: number;
  /** Milliseconds since 1970. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly why: string;
}

export interface WitnessRecord {
  readonly witnesses: readonly {
    readonly url: string;
    /** The newest size that it has cosigned for us. */
    readonly size: number;
    readonly alarm: WitnessAlarm | null;
  }[];
  /** The newest checkpoint that met the quorum, with its cosignatures: a signed note. */
  readonly witnessed: Uint8Array | null;
}

export interface WitnessMemory {
  load(): Promise<WitnessRecord>;
  /**
   * `important`: a new checkpoint meets the quorum, and is shown once this resolves with true; false when it could not be
   * kept as the memory promises. Never rejects.
   */
  keep(record: WitnessRecord, important: boolean): Promise<boolean>;
  /** Resolves when all that was given is kept. */
  settled(): Promise<void>;
}

/** Remembers nothing. */
export const FORGOTTEN: WitnessMemory = {
  load: async () => ({ witnesses: [], witnessed: null }),
  keep: async () => true,
  settled: async () => {},
};
