/** Connects to a server that is a program on this host, and starts it again when it ended. */
import type { Dialer } from "../dialer.ts";
import type { DialedServer } from "../plan.ts";
import { connectStdio } from "./connect-stdio.ts";
import { StdioConnector } from "./stdio-connector.ts";
import type { StdioConnectorOptions } from "./stdio-connector.ts";

export interface StdioServerOptions extends StdioConnectorOptions {
  /** longest call, in `ms`
   * @default 60_000 */
  readonly totalMs?: number | undefined;
  /** longest wait until connected, in `ms`
   * @default 30_000 */
  readonly dialMs?: number | undefined;
}

/** A server to connect to: a program that speaks MCP over its stdin and stdout. */
export function stdio(options: StdioServerOptions): DialedServer {
  const { totalMs, dialMs } = options;
  return {
    kind: "dialed",
    createDialer: () => createStdioDialer(options),
    ...(totalMs === undefined ? {} : { totalMs }),
    ...(dialMs === undefined ? {} : { dialMs }),
  };
}

/** One connection at a time, each with a child of its own. */
export function createStdioDialer(options: StdioConnectorOptions): Dialer {
  const connector = new StdioConnector(options);
  return {
    name: connector.name,
    dial: async (dial) => {
      const { client, prior } = await connectStdio(connector, dial);
      return {
        client,
        prior,
        network: "pipe",
        isSession: () => prior.kind === "legacy",
        isSessionLost: () => false,
        close: () => client.close(),
      };
    },
    close: () => connector.close(),
  };
}
