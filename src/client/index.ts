/** `writ/client`: the client of a log, the building and signing of records, and traces made out of the tiles alone. */
export {
  type ClientOptions,
  type FoundEntry,
  isLogged,
  LogClient,
  type LoggedEntry,
  proofFile,
  type RefusedEntry,
  type SearchAnswer,
  type SearchFilters,
  type SearchHit,
} from "./log-client.js";
export { ProofError, WritError } from "../errors.js";
export { traceFromTiles } from "./tiles-trace.js";
export { type CheckpointMemory, FolderMemory, ProcessMemory } from "./memory.js";
export { secretSigner, signCose, signDsse, type Signer } from "../statement/sign.js";
export { publicKey, type PublicKey } from "../statement/key.js";
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
