/** One server of an `mcpServers` file, as it is written: nothing in it is expanded or trusted yet. */
import type { HttpOptionsInput } from "../client/http/http-options.ts";

/** What the person's own file says of a server's tools. */
export interface ToolWords {
  /** tools that may be called unasked */
  readonly harmless: readonly string[];
  /** tools that are worse than they say */
  readonly destructive: readonly string[];
}

export interface StdioEntry {
  readonly kind: "stdio";
  readonly command: string;
  readonly args: readonly string[];
  /** values may hold `${NAME}` */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string | undefined;
  /** the image of the machine it is started in
   * @default the configured one */
  readonly image: string | undefined;
}

export interface HttpEntry {
  readonly kind: "http";
  /** one or several; may hold `${NAME}` */
  readonly urls: readonly string[];
  /** values may hold `${NAME}` */
  readonly headers: Readonly<Record<string, string>>;
  /** `sse`: the HTTP+SSE of 2024-11-05 */
  readonly transport: "auto" | "sse";
  readonly options: Omit<HttpOptionsInput, "endpoints" | "headers" | "transport">;
  /** how to log in, where the file says it; checked by whoever logs in */
  readonly oauth: Readonly<Record<string, unknown>> | undefined;
}

export type ServerEntry = (StdioEntry | HttpEntry) & {
  readonly name: string;
  readonly tools: ToolWords;
  /** all that the file says of it, as it stands there */
  readonly whole: Readonly<Record<string, unknown>>;
  /** SHA-256 of `whole`, in hexadecimal: names what a person trusts */
  readonly digest: string;
};
