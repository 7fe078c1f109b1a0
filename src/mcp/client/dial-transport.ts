/** Connects a client over one transport that was made for it, and learns the server's era. */
import type { Client, PriorDiscovery, Transport } from "@modelcontextprotocol/client";
import type { Dialed, DialOptions } from "./dialer.ts";

/** A connection over a pipe: what an older server remembers of it ends with it. */
export async function dialTransport(
  transport: Transport,
  { createClient, prior, timeoutMs, signal }: DialOptions,
  close?: (client: Client) => Promise<void>,
): Promise<Dialed> {
  const client = createClient();
  const known = prior === undefined ? {} : { prior };
  await client.connect(transport, { timeout: timeoutMs, signal, ...known });
  const learnt = priorOf(client);
  return {
    client,
    prior: learnt,
    network: "pipe",
    isSession: () => learnt.kind === "legacy",
    isSessionLost: () => false,
    close: () => close?.(client) ?? client.close(),
  };
}

/** What a connected client learnt of its server's era, for the next connection. */
export function priorOf(client: Client): PriorDiscovery {
  const discover = client.getDiscoverResult();
  return discover === undefined ? { kind: "legacy" } : { kind: "modern", discover };
}
