import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServerOptions } from "node:https";

export function startEchoServer(options?: {
  tls?: ServerOptions;
  guard?: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
}): Promise<{ url: string; close: () => Promise<void> }>;
