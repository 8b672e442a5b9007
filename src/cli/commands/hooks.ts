/** Webhooks of a log, for its operator. They are files in the log's folder; a running log sees a change within a second. */
import { HookFolder } from "../../hooks/folder.js";
import { namesOf } from "../../hooks/hooks.js";
import { parseFilter } from "../../trace/filter.js";
import { WritError } from "../../errors.js";
import { demandPublicHost } from "../../webhook/address.js";
import { type Command, FLAG, type Invocation, onlyWord, STRING, usageError } from "../command.js";
import { DEFAULT_FOLDER, holdsLog, logKeyOf } from "../folder.js";
import { lastPublished } from "../published-file.js";
import { sizeOf } from "./trace.js";

const FOLDER = { dir: STRING };

export const hooksAdd: Command = {
  usage:
    "writ hooks add URL [--dir DIR] [--filter NAME=VALUE[,…]] [--events NAME[,…]] [--from INDEX] [--allow-private]",
  about: `Posts the log's events to a URL, in order, at least once, signed as Standard Webhooks say with the secret that is printed here and nowhere else. --filter: as writ monitor --alert. --events: entry, revocation, suspension, resumption, consumption; all unless given. --from: the first entry it is told of; what comes from now on, unless given. A private address is refused without --allow-private. A hook that fails for three days, or answers 410, is disabled. DIR: the log's folder (${DEFAULT_FOLDER}).`,
  options: { ...FOLDER, filter: STRING, events: STRING, from: STRING, "allow-private": FLAG },
  async run(invocation) {
    const url = onlyWord(invocation, "URL");
    const target = URL.canParse(url) ? new URL(url) : null;
    if (target === null || !["http:", "https:"].includes(target.protocol))
      throw usageError(`want an http or https URL, got ${JSON.stringify(url)}`);
    if (target.username !== "" || target.password !== "")
      throw usageError(
        "a hook's URL holds no user name or password: it is kept and shown; deliveries are signed, and that says who sends them",
      );
    const allowPrivate = invocation.flag("allow-private");
    if (!allowPrivate) demandPublicHost(target);
    const filter = invocation.text("filter") ?? "all";
    parseFilter(filter, "--filter");
    const events = invocation.text("events") ?? null;
    namesOf(events);
    const folder = await folderOf(invocation);
    const from = sizeOf(invocation, "from") ?? (await sizeNow(folder));
    const enabledAt = new Date().toISOString();
    const hook = await new HookFolder(folder).add({ url, filter, events, allowPrivate, from, enabledAt });
    return {
      ok: true,
      text: `${hook.id}\n${hook.secret}`,
      json: { id: hook.id, secret: hook.secret, url, filter, events, from },
    };
  },
};

export const hooksList: Command = {
  usage: "writ hooks list [--dir DIR]",
  about: "Shows the hooks, how far each has come, and whether it fails or is disabled. Exit 1 when one does.",
  options: FOLDER,
  async run(invocation) {
    if (invocation.words.length > 0) throw usageError("want no words here");
    const hooks = new HookFolder(await folderOf(invocation));
    const found = await Promise.all(
      (await hooks.list()).map(async (config) => {
        const { secret: _, ...shown } = config;
        return { ...shown, ...(await hooks.state(config)) };
      }),
    );
    const lines = found.map(({ id, url, filter, events, next, failingSince, disabledAt, lastError }) => {
      const trouble = `since ${disabledAt ?? failingSince} (${lastError})`;
      const word =
        disabledAt !== null ? `disabled ${trouble}` : failingSince !== null ? `failing ${trouble}` : "ok";
      return [id, url, filter, events ?? "all events", `next ${next}`, word].join("  ");
    });
    return {
      ok: found.every(({ failingSince, disabledAt }) => failingSince === null && disabledAt === null),
      text: lines.length === 0 ? "no hooks" : lines.join("\n"),
      json: found.map(
        ({ allowPrivate, enabledAt, failingSince, lastError, disabledAt, deliveredAt, ...rest }) => ({
          ...rest,
          allow_private: allowPrivate,
          enabled_at: enabledAt,
          failing_since: failingSince,
          last_error: lastError,
          disabled_at: disabledAt,
          delivered_at: deliveredAt,
        }),
      ),
    };
  },
};

export const hooksRemove: Command = {
  usage: "writ hooks remove ID [--dir DIR]",
  about: "Removes a hook.",
  options: FOLDER,
  async run(invocation) {
    const id = onlyWord(invocation, "hook's id");
    await new HookFolder(await folderOf(invocation)).remove(id);
    return { ok: true, text: `removed ${id}`, json: { id } };
  },
};

export const hooksEnable: Command = {
  usage: "writ hooks enable ID [--dir DIR]",
  about: "Tries a disabled hook again, from where it was: nothing that it missed is left out.",
  options: FOLDER,
  async run(invocation) {
    const id = onlyWord(invocation, "hook's id");
    await new HookFolder(await folderOf(invocation)).enable(id, new Date().toISOString());
    return { ok: true, text: `enabled ${id}`, json: { id } };
  },
};

async function folderOf(invocation: Invocation): Promise<string> {
  const folder = invocation.text("dir") ?? DEFAULT_FOLDER;
  if (await holdsLog(folder)) return folder;
  throw new WritError("LOG_MISSING", `there is no log in ${folder}; --dir names another folder`);
}

/** The log may be running: what it has published last stands in a file beside its database. */
async function sizeNow(folder: string): Promise<number> {
  const checkpoint = await lastPublished(folder, await logKeyOf(folder));
  return checkpoint?.size ?? 0;
}
