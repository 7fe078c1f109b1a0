/** The cheapest question a server of each era must answer. */
import { ProtocolError } from "@modelcontextprotocol/client";
import type { Client, RequestOptions } from "@modelcontextprotocol/client";
import { isLostAnswer } from "./http/lost-answer.ts";

/**
 * `server/discover` since 2026-07-28, `ping` before. A server that answers with an error is there:
 * some older ones do not know `ping`.
 */
export async function askWhetherThere(client: Client, options: RequestOptions): Promise<void> {
  try {
    if (client.getProtocolEra() === "modern") await client.discover(options);
    else await client.ping(options);
  } catch (error) {
    if (!(error instanceof ProtocolError) || isLostAnswer(error)) throw error;
  }
}
