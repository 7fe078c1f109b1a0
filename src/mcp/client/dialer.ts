/** What every kind of endpoint offers: a way to connect one of the SDK's clients to it. */
import type { Client, PriorDiscovery } from "@modelcontextprotocol/client";

export interface DialOptions {
  /** makes a client with the program's handlers set, not connected */
  readonly createClient: () => Client;
  /** what an earlier dial learnt of the server's era: saves the question */
  readonly prior: PriorDiscovery | undefined;
  /** until the client is connected, in ms */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface Dialed {
  readonly client: Client;
  /** to be given to the next dial */
  readonly prior: PriorDiscovery;
  /** what carries the messages, as OpenTelemetry names it */
  readonly network: "tcp" | "pipe";
  /** whether state of this connection lives at the server, so that calls belong together */
  readonly isSession: () => boolean;
  /** Whether this error says that the server forgot the session. */
  readonly isSessionLost: (error: unknown) => boolean;
  /** Ends the session at the server, where it has one, and the connection. */
  readonly close: () => Promise<void>;
}

export interface Dialer {
  /** the endpoint's name for people: no credentials */
  readonly name: string;
  readonly dial: (options: DialOptions) => Promise<Dialed>;
  /** Ends what outlives a connection, such as pools and child processes. */
  readonly close: () => Promise<void>;
}
