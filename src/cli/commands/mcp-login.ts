/** `luminaguard mcp login|logout|status`: a person's login to a server, kept sealed. */
import { escapeText } from "../../base/escape-text.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { findBrowser } from "../../runtime/mcp/mcp-logins.ts";
import { createRunId } from "../../runtime/cliff/write-back.ts";
import { ensureTrusted } from "../ensure-trusted.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";
import type { ServerOptions } from "../mcp-session.ts";
import { watchSignals } from "../signals.ts";

export interface LoginOptions extends ServerOptions {
  readonly device?: boolean;
}

export async function mcpLogin(io: CliIo, name: string, options: LoginOptions): Promise<number> {
  using signals = watchSignals(io);
  await using lumina = await createLuminaGuard();
  const { signal } = signals;
  const server = await lumina.mcp.find(name, { folder: process.cwd(), file: options.file });
  lumina.mcp.loginAddress(server); // a program has none: said before anything is asked
  await ensureTrusted(io, lumina, server, {
    run: createRunId(),
    onHost: false,
    quiet: false,
    signal,
  });
  const openBrowser = findBrowser();
  await lumina.mcp.logIn(server, {
    flow: options.device === true ? "device" : undefined,
    face: {
      say: (text) => say(io, escapeText(text, { keep: "\n" })),
      ...(openBrowser === undefined ? {} : { openBrowser }),
    },
    signal,
  });
  say(io, `  logged in ${escapeText(name)}`);
  return exitCodes.done;
}

export async function mcpLogout(io: CliIo, name: string, options: ServerOptions): Promise<number> {
  await using lumina = await createLuminaGuard();
  const server = await lumina.mcp.find(name, { folder: process.cwd(), file: options.file });
  const { wasLoggedIn, isRevoked } = await lumina.mcp.logins.logOut(
    lumina.mcp.loginAddress(server),
  );
  if (options.json === true) printJson(io, { wasLoggedIn, isRevoked });
  else if (!wasLoggedIn) say(io, `  there was no login to ${escapeText(name)}`);
  else {
    const end = isRevoked ? "ended at its authorization server, too" : "forgotten here only";
    say(io, `  logged out ${escapeText(name)}: ${end}`);
  }
  return exitCodes.done;
}

export async function mcpStatus(io: CliIo, name: string, options: ServerOptions): Promise<number> {
  await using lumina = await createLuminaGuard();
  const server = await lumina.mcp.find(name, { folder: process.cwd(), file: options.file });
  const trusted = await lumina.mcp.isTrusted(server, false);
  const login =
    server.entry.kind === "http"
      ? await lumina.mcp.logins.status(lumina.mcp.loginAddress(server))
      : undefined;
  if (options.json === true) {
    printJson(io, { name, kind: server.entry.kind, origin: server.origin, trusted, login });
    return exitCodes.done;
  }
  const { file, entry } = server;
  io.stdout.write(
    `server    ${escapeText(name)} (${entry.kind === "http" ? "http" : "program"})\n`,
  );
  io.stdout.write(`named in  ${escapeText(file)}${trusted ? "" : ", not trusted yet"}\n`);
  if (login !== undefined) io.stdout.write(`login     ${describe(login)}\n`);
  return exitCodes.done;
}

function describe(login: {
  readonly isLoggedIn: boolean;
  readonly issuer?: string;
  readonly lifeLeftMs?: number;
  readonly isRenewable: boolean;
}): string {
  if (!login.isLoggedIn) return "none";
  const parts = [login.issuer === undefined ? "yes" : `by ${escapeText(login.issuer)}`];
  if (login.lifeLeftMs !== undefined) {
    const minutes = Math.round(login.lifeLeftMs / 60_000);
    parts.push(minutes < 0 ? "its token has ended" : `its token is good for ${minutes} min`);
  }
  parts.push(login.isRenewable ? "renewed by itself" : "not renewed by itself");
  return parts.join(", ");
}
