/**
 * `DIR/hooks/`: for each webhook what the operator said of it (`ID.json`, written by the command line) and how far it has
 * come (`ID.state.json`, written by the running log). Two files with one writer each, so that neither undoes the other.
 */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isMissing, writeDurably } from "../durable.js";
import { WritError } from "../errors.js";
import { parseBase64 } from "../format/base64.js";

export interface HookConfig {
  readonly id: string;
  readonly url: string;
  /** `all`, or name=value[,name=value…]. */
  readonly filter: string;
  /** Event names with commas between them; null for all. */
  readonly events: string | null;
  readonly allowPrivate: boolean;
  /** `whsec_` and base64, as Standard Webhooks spells it. */
  readonly secret: string;
  /** The first entry it is told of. */
  readonly from: number;
  /** RFC 3339: when it was added, or enabled again. */
  readonly enabledAt: string;
}

export interface HookState {
  /** The first entry that it has not been told of. */
  readonly next: number;
  /** RFC 3339, or null while it takes what it is sent. */
  readonly failingSince: string | null;
  readonly lastError: string | null;
  /** Failures in a row. */
  readonly failures: number;
  /** RFC 3339: it is not tried any more, until it is enabled again. */
  readonly disabledAt: string | null;
  /** RFC 3339. */
  readonly deliveredAt: string | null;
}

const SECRET_BYTES = 32;
const CONFIG = ".json";
const STATE = ".state.json";

export function freshState(from: number): HookState {
  return {
    next: from,
    failingSince: null,
    lastError: null,
    failures: 0,
    disabledAt: null,
    deliveredAt: null,
  };
}

export class HookFolder {
  private readonly folder: string;

  /** `logFolder`: the log's own. */
  constructor(logFolder: string) {
    this.folder = join(logFolder, "hooks");
  }

  async add(config: Omit<HookConfig, "id" | "secret">): Promise<HookConfig> {
    const id = `hook_${randomBytes(6).toString("hex")}`;
    const secret = `whsec_${randomBytes(SECRET_BYTES).toString("base64")}`;
    const whole = { id, ...config, secret };
    await this.write(`${id}${CONFIG}`, whole);
    return whole;
  }

  /** Every hook, by id. A file that is no hook is an error: STATE_CORRUPT. */
  async list(): Promise<HookConfig[]> {
    const names = (await this.names()).filter((name) => name.endsWith(CONFIG) && !name.endsWith(STATE));
    return Promise.all(
      names.map(async (name) => {
        const config = await this.read<HookConfig>(name);
        if (config !== null && isConfig(config) && `${config.id}${CONFIG}` === name) return config;
        throw new WritError("STATE_CORRUPT", `${join(this.folder, name)} is no hook; remove it or repair it`);
      }),
    );
  }

  async state({ id, from, enabledAt }: HookConfig): Promise<HookState> {
    const state = await this.read<HookState>(`${id}${STATE}`);
    if (state === null || typeof state.next !== "number") return freshState(from);
    // Enabled again since: it gets another chance, from where it was.
    if (state.disabledAt !== null && state.disabledAt < enabledAt) return freshState(state.next);
    return state;
  }

  async saveState(id: string, state: HookState): Promise<void> {
    await this.write(`${id}${STATE}`, state);
  }

  /** USAGE when there is none of that id. */
  async enable(id: string, enabledAt: string): Promise<void> {
    await this.write(`${id}${CONFIG}`, { ...(await this.find(id)), enabledAt });
  }

  async remove(id: string): Promise<void> {
    await this.find(id);
    await rm(join(this.folder, `${id}${CONFIG}`), { force: true });
    await rm(join(this.folder, `${id}${STATE}`), { force: true });
  }

  private async find(id: string): Promise<HookConfig> {
    const found = (await this.list()).find((config) => config.id === id);
    if (found !== undefined) return found;
    throw new WritError("USAGE", `there is no hook ${JSON.stringify(id)}; writ hooks list shows them`);
  }

  private async names(): Promise<string[]> {
    try {
      return (await readdir(this.folder)).toSorted();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  private async read<T>(name: string): Promise<T | null> {
    try {
      return JSON.parse(await readFile(join(this.folder, name), "utf8")) as T;
    } catch (error) {
      if (error instanceof SyntaxError) return null;
      if (isMissing(error)) return null;
      throw error;
    }
  }

  private async write(name: string, value: object): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await writeDurably(join(this.folder, name), `${JSON.stringify(value, null, 2)}\n`, 0o600);
  }
}

/** The bytes of a `whsec_…` secret. STATE_CORRUPT when it is none. */
export function secretBytes({ id, secret }: HookConfig): Uint8Array {
  const bytes = secret.startsWith("whsec_") ? parseBase64(secret.slice("whsec_".length)) : undefined;
  if (bytes !== undefined && bytes.length >= 24) return bytes;
  throw new WritError("STATE_CORRUPT", `the secret of ${id} is not whsec_ and base64 of 24 bytes or more`);
}

function isConfig(config: Partial<Record<keyof HookConfig, unknown>>): boolean {
  const { id, url, filter, events, secret, from, enabledAt } = config;
  return (
    [id, url, filter, secret, enabledAt].every((member) => typeof member === "string") &&
    (events === null || typeof events === "string") &&
    typeof from === "number"
  );
}
