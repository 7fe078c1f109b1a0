/** A transport of the SDK's own, used as it is: it can be connected once, and not again. */
import type { Transport } from "@modelcontextprotocol/client";
import { createMcpError } from "./delivery.ts";
import { dialTransport } from "./dial-transport.ts";
import type { Dialer } from "./dialer.ts";

export function createTransportDialer(transport: Transport): Dialer {
  let isUsed = false;
  const name = "the transport";
  return {
    name,
    dial: (dial) => {
      if (isUsed) {
        const message = "the transport ended, and cannot be opened again";
        const hint = "connect with http(…) or stdio(…) instead: these can be opened again";
        const facts = { delivery: "never", endpoint: name, hint } as const;
        return Promise.reject(createMcpError("MCP_UNAVAILABLE", message, facts));
      }
      isUsed = true;
      return dialTransport(transport, dial);
    },
    close: () => transport.close(),
  };
}
