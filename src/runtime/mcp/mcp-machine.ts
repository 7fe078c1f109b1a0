/**
 * An MCP server that is a program, started in a machine of its own: it sees neither the host's files nor
 * a network. What the image lacks is refused with the reason, but for a program without parts, which is
 * brought along.
 */
import { access, constants, open } from "node:fs/promises";
import { basename, delimiter, isAbsolute, join } from "node:path";
import { Readable, Writable } from "node:stream";
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import { dialTransport } from "../../mcp/client/dial-transport.ts";
import { StreamTransport } from "../../mcp/client/stream-transport.ts";
import type { DialedServer } from "../../mcp/client/plan.ts";
import type { ExecHandle } from "../exec-handle.ts";
import type { Machine } from "../machine.ts";

export interface McpMachineOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** where the host's programs are looked up */
  readonly searchPath: string;
  readonly spawn: (signal: AbortSignal) => Promise<Machine>;
  /** each piece of what the server writes to stderr; hostile text */
  readonly onStderr?: ((text: string) => void) | undefined;
}

/** where a program that is brought along lies in the machine */
const broughtFolder = "/opt/mcp";
/** largest program that is brought along, in bytes */
const broughtBytesMax = 256 * 1024 * 1024;

/** A server to connect to; each connection is a fresh machine. */
export function inMachine(options: McpMachineOptions): DialedServer {
  return {
    kind: "dialed",
    // a machine's first start may build an image and freeze a template
    dialMs: 120_000,
    createDialer: () => ({
      name: options.name,
      dial: async (dial) => {
        const machine = await options.spawn(dial.signal);
        try {
          const transport = await startServer(machine, options);
          return await dialTransport(transport, dial, async (client) => {
            await client.close();
            await machine.stop();
          });
        } catch (error) {
          await machine.stop();
          throw error;
        }
      },
      close: () => Promise.resolve(),
    }),
  };
}

async function startServer(machine: Machine, options: McpMachineOptions): Promise<StreamTransport> {
  const program = await findProgram(machine, options);
  const argv = [program, ...options.args];
  const exec = machine.exec(argv, { env: options.env, stdin: true, cwd: "/" });
  const readable = Readable.from(stdoutOf(exec, options), { objectMode: false });
  return new StreamTransport({ readable, writable: stdinOf(exec), end: () => machine.stop() });
}

/** In the machine, or brought along. */
async function findProgram(machine: Machine, options: McpMachineOptions): Promise<string> {
  const { command, name } = options;
  const look = ["sh", "-c", 'command -v -- "$1" >/dev/null', "sh", command];
  const { exitCode } = await machine.exec(look, { cwd: "/" });
  if (exitCode === 0) return command;
  const path = await findOnHost(command, options.searchPath);
  const bytes = path === undefined ? undefined : await readStaticProgram(path);
  if (bytes !== undefined) {
    const target = `${broughtFolder}/${basename(command)}`;
    await machine.files.write(target, bytes, { mode: 0o755 });
    return target;
  }
  const why =
    path === undefined ? "is neither in the machine nor here" : "needs more than its own file";
  const message = `${escapeText(name)}: ${escapeText(command)} ${why}`;
  const image = "give the entry an image that has it (luminaguard.image)";
  throw new LuminaGuardError("EXEC_NOT_FOUND", message, {
    hint: `${image}, or start it on this host: --on-host`,
  });
}

async function findOnHost(command: string, searchPath: string): Promise<string | undefined> {
  const candidates = isAbsolute(command)
    ? [command]
    : command.includes("/")
      ? []
      : searchPath.split(delimiter).map((folder) => join(folder, command));
  for (const path of candidates) {
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}

/** The program, if it is an ELF file that asks for no interpreter (no PT_INTERP, type 3) and so for no library. */
export async function readStaticProgram(path: string): Promise<Buffer | undefined> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stat = await file.stat();
  if (!stat.isFile() || stat.size > broughtBytesMax || stat.size < 64) return undefined;
  const bytes = await file.readFile();
  const isElf64 = bytes.readUInt32BE(0) === 0x7f454c46 && bytes[4] === 2 && bytes[5] === 1;
  if (!isElf64) return undefined;
  const offset = Number(bytes.readBigUInt64LE(32));
  const size = bytes.readUInt16LE(54);
  const count = bytes.readUInt16LE(56);
  if (size < 4 || offset + size * count > bytes.length) return undefined;
  for (let index = 0; index < count; index += 1) {
    if (bytes.readUInt32LE(offset + size * index) === 3) return undefined;
  }
  return bytes;
}

async function* stdoutOf(
  exec: ExecHandle,
  { onStderr }: McpMachineOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { source, data } of exec.output) {
    if (source === "stdout") yield data;
    else onStderr?.(data.toString("utf8"));
  }
}

function stdinOf(exec: ExecHandle): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      exec.write(chunk).then(() => done(), done);
    },
    final: (done) => {
      exec.endStdin().then(() => done(), done);
    },
  });
}
