/** `writ/client`: the client of a log, the building and signing of records, and traces made out of the tiles alone. */
export {
  type ClientOptions,
  LogClient,
  type SearchAnswer,
  type SearchFilters,
  type SubmitOptions,
} from "./log-client.js";
export {
  type FoundEntry,
  isLogged,
  type LoggedEntry,
  proofFile,
  type RefusedEntry,
  type SearchHit,
} from "./results.js";
export { type DecidingEntry, type RecordStatus, type StateWord } from "./status.js";
export { ProofError, WritError } from "../errors.js";
export { traceFromTiles, type TilesTrace } from "./tiles-trace.js";
export { type CheckpointMemory, FolderMemory, ProcessMemory } from "./memory.js";
export { noteSigner, secretSigner, signCose, signDsse, type Signer } from "../statement/sign.js";
export { publicKey, type PublicKey } from "../statement/key.js";
export { attachReceipts, splitTransparent, type TransparentStatement } from "../statement/transparent.js";
export { canonicalJson } from "../statement/jcs.js";
export {
  BuiltRecord,
  buildRecord,
  type CommonMembers,
  type RecordMembers,
  RecordRef,
  type RecordType,
} from "../record/build.js";
export { RECORD_MEDIA_TYPE } from "../record/record.js";
