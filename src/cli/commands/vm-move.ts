/** `luminaguard vm migrate` and `vm receive`. */
import { resolve as resolvePath } from "node:path";
import { LuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { renderBytes } from "../../runtime/values.ts";
import type { Kept } from "../../runtime/values.ts";
import type { LuminaGuard } from "../../runtime/luminaguard.ts";
import { isFilePath, parseAddress, renderAddress } from "../../runtime/migration/address.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";
import { watchSignals } from "../signals.ts";

interface JsonOption {
  readonly json?: boolean;
}

interface MigrateOptions extends JsonOption {
  readonly to?: string;
  readonly pin?: string;
  readonly code?: string;
  readonly resolve?: boolean;
  readonly here?: boolean;
  readonly there?: boolean;
  readonly token?: string;
  readonly otherIsGone?: boolean;
}

interface ReceiveOptions extends JsonOption {
  readonly listen?: string;
  readonly allow?: readonly string[];
  readonly name?: string;
  readonly once?: boolean;
}

export async function vmMigrate(io: CliIo, word: string, options: MigrateOptions): Promise<number> {
  await using lumina = await createLuminaGuard();
  if (options.resolve === true) return await resolve(io, lumina, word, options);
  const { to, pin, code = null, json } = options;
  if (to !== undefined && isFilePath(to)) {
    return await migrateToFile(io, lumina, word, resolvePath(to), options);
  }
  if (to === undefined || pin === undefined) {
    throw new LuminaGuardError("USAGE", "where is the machine to go?", {
      hint: "luminaguard vm receive --listen ADDRESS  there prints the command for here; --to FILE needs none",
    });
  }
  using signals = watchSignals(io);
  const kept = await lumina.kept.find(word);
  const { name } = kept.record;
  const watch = { signal: signals.signal, onProgress: progressOf(io, kept, json) };
  const moved = await lumina.moves.migrate(kept, { to, pin, code }, watch);
  if (json === true) printJson(io, { name, ...moved });
  else {
    const pause = `${Math.round(moved.pauseMs)} ms`;
    say(io, `moved     ${name} to ${to}; it stood still for ${pause}`);
  }
  return exitCodes.done;
}

async function migrateToFile(
  io: CliIo,
  lumina: LuminaGuard,
  word: string,
  path: string,
  { pin, code, json }: MigrateOptions,
): Promise<number> {
  if (pin !== undefined || code !== undefined) {
    throw new LuminaGuardError("USAGE", "a file has no key and asks for no code", {
      hint: "--pin and --code go with --to HOST:PORT",
    });
  }
  using signals = watchSignals(io);
  const kept = await lumina.kept.find(word);
  const { name } = kept.record;
  const watch = { signal: signals.signal, onProgress: progressOf(io, kept, json) };
  const filed = await lumina.moves.migrateToFile(kept, path, watch);
  if (json === true) printJson(io, { name, ...filed });
  else {
    say(io, `filed     ${name} in ${path}, ${renderBytes(filed.bytes)}; it stands still here`);
    say(io, `there:    luminaguard vm receive ${path}`);
    say(io, `here:     luminaguard vm migrate ${name} --resolve --there  when it is, or --here`);
  }
  return exitCodes.done;
}

function progressOf(
  io: CliIo,
  { record: { memoryMib } }: Kept,
  json: boolean | undefined,
): (bytes: number) => void {
  return (bytes) => {
    if (json === true) return;
    const sent = `${Math.round(bytes / 1024 ** 2)} MiB of ${memoryMib} MiB`;
    say(io, `sending   ${sent} and what it writes`);
  };
}

async function resolve(
  io: CliIo,
  lumina: LuminaGuard,
  word: string,
  { here, there, token, otherIsGone = false, json }: MigrateOptions,
): Promise<number> {
  if ((here === true) === (there === true)) {
    throw new LuminaGuardError("USAGE", "where is the machine to go on? say --here or --there");
  }
  const kept = await lumina.kept.find(word);
  const { name } = kept.record;
  const where = here === true ? "here" : "there";
  const resolved = await lumina.moves.resolve(kept, {
    ...{ where, token: token ?? null, otherIsGone },
  });
  if (json === true) printJson(io, { name, ...resolved });
  else if (resolved.token === null) say(io, `decided   ${name} goes on ${resolved.where}`);
  else {
    say(io, `decided   ${name} may go on there, and stands still here; say it there:`);
    io.stdout.write(`luminaguard vm migrate ${name} --resolve --here --token ${resolved.token}\n`);
  }
  return exitCodes.done;
}

export async function vmReceive(
  io: CliIo,
  file: string | undefined,
  options: ReceiveOptions,
): Promise<number> {
  const { listen, allow = [], name, once, json } = options;
  if (file !== undefined) return receiveFile(io, file, options);
  if (listen === undefined) {
    throw new LuminaGuardError("USAGE", "where is a machine to come from?", {
      hint: "luminaguard vm receive FILE, or luminaguard vm receive --listen 0.0.0.0:7400",
    });
  }
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const over = new AbortController();
  signals.signal.addEventListener("abort", () => over.abort());
  using receiver = await lumina.moves.receive({
    address: parseAddress(listen),
    ...{ allow, name },
    onEvent: (event) => {
      if (json === true) io.stdout.write(`${JSON.stringify(event)}\n`);
      else if (event.kind === "arriving") {
        say(io, `arriving  ${event.name} from ${event.from}, key ${event.pin}`);
      } else if (event.kind === "failed") {
        say(io, `refused   ${event.from}, key ${event.pin}: ${event.reason}`);
      } else say(io, `${event.kind.padEnd(9)} ${event.name}`);
      if (once === true && event.kind === "arrived") over.abort();
    },
  });
  const { fingerprint, code } = receiver;
  const to = renderAddress(receiver.address);
  const command = [
    ...["luminaguard", "vm", "migrate", "MACHINE", "--to", to, "--pin", fingerprint],
    ...(code === null ? [] : ["--code", code]),
  ].join(" ");
  if (json === true) {
    io.stdout.write(
      `${JSON.stringify({ kind: "listening", address: to, fingerprint, code, command })}\n`,
    );
  } else {
    say(io, `listening ${to}, key ${fingerprint}`);
    say(io, "there:");
    io.stdout.write(`${command}\n`);
  }
  if (!over.signal.aborted) {
    await new Promise<void>((end) => over.signal.addEventListener("abort", () => end()));
  }
  return signals.exitCode ?? exitCodes.done;
}

async function receiveFile(
  io: CliIo,
  file: string,
  { listen, allow, once, name: wished, json }: ReceiveOptions,
): Promise<number> {
  if (listen !== undefined || allow !== undefined || once !== undefined) {
    throw new LuminaGuardError("USAGE", "a machine comes out of a file or from a host", {
      hint: "--listen, --allow and --once go without a file",
    });
  }
  await using lumina = await createLuminaGuard();
  using signals = watchSignals(io);
  const path = resolvePath(file);
  const name = await lumina.moves.receiveFile({
    ...{ path, name: wished, signal: signals.signal },
    onProgress: (what) => {
      if (json !== true) say(io, `${what.padEnd(9)} ${path}`);
    },
  });
  if (json === true) printJson(io, { name, from: path });
  else say(io, `arrived   ${name}`);
  return exitCodes.done;
}
