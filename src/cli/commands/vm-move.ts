/** `luminaguard vm migrate` and `vm receive`. */
import { LuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import type { LuminaGuard } from "../../runtime/luminaguard.ts";
import { parseAddress, renderAddress } from "../../runtime/migration/address.ts";
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
  if (to === undefined || pin === undefined) {
    throw new LuminaGuardError("USAGE", "where is the machine to go?", {
      hint: "luminaguard vm receive --listen ADDRESS  there prints the command for here",
    });
  }
  using signals = watchSignals(io);
  const kept = await lumina.kept.find(word);
  const { name, memoryMib } = kept.record;
  const moved = await lumina.moves.migrate(
    kept,
    { to, pin, code },
    {
      signal: signals.signal,
      onProgress: (bytes) => {
        if (json !== true) {
          say(
            io,
            `sending   ${Math.round(bytes / 1024 ** 2)} MiB of ${memoryMib} MiB and what it writes`,
          );
        }
      },
    },
  );
  if (json === true) printJson(io, { name, ...moved });
  else {
    const pause = `${Math.round(moved.pauseMs)} ms`;
    say(io, `moved     ${name} to ${to}; it stood still for ${pause}`);
  }
  return exitCodes.done;
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
  { listen, allow = [], name, once, json }: ReceiveOptions,
): Promise<number> {
  if (listen === undefined) {
    throw new LuminaGuardError("USAGE", "where is a machine to come from?", {
      hint: "luminaguard vm receive --listen 0.0.0.0:7400",
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
