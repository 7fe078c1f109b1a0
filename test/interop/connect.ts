/** A program under test and a client connected to it, over whichever transport the program speaks. */
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { http } from "../../src/mcp/client/http/http-server.ts";
import { ManagedClient } from "../../src/mcp/client/managed-client.ts";
import { stdio } from "../../src/mcp/client/stdio/stdio-dialer.ts";
import { startService } from "../../src/process/start-service.ts";
import type { Service } from "../../src/process/start-service.ts";
import { eventually } from "../support/eventually.ts";
import type { InteropServer } from "./servers.ts";

export interface Connection extends AsyncDisposable {
  readonly client: ManagedClient;
  /** the server's process as it is now */
  readonly pid: () => number;
  /** Sees to it that a server that was killed is there again: a client over stdio does so itself. */
  readonly restart: () => Promise<void>;
}

export async function connect(server: InteropServer): Promise<Connection> {
  return server.transport === "http" ? connectHttp(server) : connectStdio(server);
}

async function connectStdio({ name, program }: InteropServer): Promise<Connection> {
  const client = createClient();
  let pid: number | undefined;
  await client.connect(
    stdio({
      ...program,
      name,
      onEvent: (event) => {
        if (event.kind === "started") pid = event.pid;
      },
    }),
  );
  return {
    client,
    pid: () => {
      if (pid === undefined) throw new Error("a connected server was started");
      return pid;
    },
    restart: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function connectHttp({ program, path = "/" }: InteropServer): Promise<Connection> {
  const port = await findPort();
  const url = `http://127.0.0.1:${port}${path}`;
  const start = async (): Promise<Service> => {
    const env = { ...program.env, PORT: String(port) };
    const service = await startService(program.command, program.args ?? [], {
      ...program,
      env,
    });
    service.stdout.resume();
    await eventually("the server listens", () =>
      fetch(url).then(
        () => true,
        () => false,
      ),
    );
    return service;
  };
  let service = await start();
  const client = createClient();
  await client.connect(http(url));
  return {
    client,
    pid: () => service.pid,
    restart: async () => {
      await service.exited;
      service = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await client.close();
      await service.stop(1_000);
    },
  };
}

function createClient(): ManagedClient {
  return new ManagedClient({ name: "luminaguard-interop", version: "1" });
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
