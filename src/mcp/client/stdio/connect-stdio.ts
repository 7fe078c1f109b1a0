/**
 * Connects one of the SDK's clients to a stdio server, of whichever era. The SDK asks a server that it
 * does not start itself with `server/discover` on the one connection it has. Some older servers end at a
 * request they do not know: such a one is started again, and spoken to as older servers are.
 */
import { SdkError, SdkErrorCode } from "@modelcontextprotocol/client";
import type { Client, PriorDiscovery } from "@modelcontextprotocol/client";
import { LuminaGuardError } from "../../../errors.ts";
import { createMcpError } from "../delivery.ts";
import { priorOf } from "../dial-transport.ts";
import type { StdioConnector } from "./stdio-connector.ts";
import type { StdioTransport } from "./stdio-transport.ts";

export interface ConnectStdioOptions {
  /** makes a client that is not connected; a second one for a server that has to be started again */
  readonly createClient: () => Client;
  /** what an earlier connection learnt of the server's era: saves the question */
  readonly prior?: PriorDiscovery | undefined;
  /** longest wait for each answer until connected, in `ms` */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface ConnectedStdio {
  readonly client: Client;
  readonly transport: StdioTransport;
  /** the server's era, for the next connection */
  readonly prior: PriorDiscovery;
}

/**
 * Rejects with MCP_TRANSIENT when the server ended meanwhile, with what `open` rejects with, with the
 * SDK's error, with the signal's reason; no child is left then.
 */
export async function connectStdio(
  connector: StdioConnector,
  options: ConnectStdioOptions,
): Promise<ConnectedStdio> {
  try {
    return await connectOnce(connector, options);
  } catch (error) {
    if (options.prior !== undefined || !isProbeDeath(error)) throw error;
    connector.excuseEnd();
    return connectOnce(connector, { ...options, prior: { kind: "legacy" } });
  }
}

/** Whether the server ended because it was asked for its era. */
export function isProbeDeath(error: unknown): boolean {
  const cause = error instanceof LuminaGuardError ? error.cause : error;
  const isNegotiation =
    cause instanceof SdkError && cause.code === SdkErrorCode.EraNegotiationFailed;
  // the SDK says so only where it may fall back to the older era
  return isNegotiation && cause.message.includes("probed in place");
}

async function connectOnce(
  connector: StdioConnector,
  { createClient, prior, timeoutMs, signal }: ConnectStdioOptions,
): Promise<ConnectedStdio> {
  const transport = await connector.open(signal);
  const client = createClient();
  // the SDK does not look at the signal while it asks for the era
  const onAbort = (): void => void transport.close();
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    const known = prior === undefined ? {} : { prior };
    await client.connect(transport, { timeout: timeoutMs, ...known });
    signal?.throwIfAborted();
    return { client, transport, prior: priorOf(client) };
  } catch (error) {
    await transport.close();
    signal?.throwIfAborted();
    throw transport.hasDied ? await endedMeanwhile(connector, error) : error;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

async function endedMeanwhile(connector: StdioConnector, cause: unknown): Promise<Error> {
  const message = `${connector.name} did not connect: ${await connector.describeEnd()}`;
  return createMcpError("MCP_TRANSIENT", message, {
    hint: "start its command by hand and look at what it says",
    delivery: "never",
    endpoint: connector.name,
    cause,
  });
}
