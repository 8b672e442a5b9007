/** What the tests use of packages that bring no types. */
declare module "@digitalbazaar/vc" {
  interface StatusResult {
    readonly verified: boolean;
    readonly results?: readonly {
      readonly status: boolean;
      readonly credentialStatus: { readonly statusPurpose: string };
    }[];
    readonly error?: Error;
  }
  export function verifyCredential(options: object): Promise<{
    readonly verified: boolean;
    readonly statusResult?: StatusResult;
    readonly error?: Error;
  }>;
}
declare module "@digitalbazaar/data-integrity" {
  export class DataIntegrityProof {
    readonly type: string;
    constructor(options: object);
  }
}
declare module "@digitalbazaar/eddsa-jcs-2022-cryptosuite" {
  export function createVerifyCryptosuite(): object;
}
declare module "@digitalbazaar/vc-bitstring-status-list" {
  export function checkStatus(options: object): Promise<object>;
}
declare module "@digitalbazaar/ed25519-multikey" {
  export function from(options: object): Promise<object>;
}
declare module "@digitalbazaar/did-method-key" {
  export function driver(): {
    use(options: object): void;
    get(options: { readonly url: string }): Promise<object>;
  };
}
