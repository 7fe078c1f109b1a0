/** A transport of the SDK's own, used as it is: it can be connected once, and not again. */
import type { Transport } from "@modelcontextprotocol/client";
import { createMcpError } from "./delivery.ts";
import type { Dialer } from "./dialer.ts";

export function createTransportDialer(transport: Transport): Dialer {
  let isUsed = false;
  const name = "the transport";
  return {
    name,
    dial: async ({ createClient, prior, timeoutMs, signal }) => {
      if (isUsed) {
        throw createMcpError("MCP_UNAVAILABLE", "the transport ended, and cannot be opened again", {
          delivery: "never",
          endpoint: name,
          hint: "connect with http(…) or stdio(…) instead: these can be opened again",
        });
      }
      isUsed = true;
      const client = createClient();
      const options = { timeout: timeoutMs, signal, ...(prior === undefined ? {} : { prior }) };
      await client.connect(transport, options);
      const discover = client.getDiscoverResult();
      return {
        client,
        prior: discover === undefined ? { kind: "legacy" } : { kind: "modern", discover },
        network: "pipe",
        isSession: () => discover === undefined,
        isSessionLost: () => false,
        close: () => client.close(),
      };
    },
    close: () => transport.close(),
  };
}
