/**
 * What a program wants of every connection to its server, however often it is made anew: handlers,
 * subscriptions, the level of logging, what it can do for the server.
 */
import type { Client, ClientCapabilities } from "@modelcontextprotocol/client";
import type { HumanClock } from "./human-clock.ts";

/** what the SDK calls deprecated is what servers before 2026-07-28 have */
export type LogLevel =
  "debug" | "info" | "notice" | "warning" | "error" | "critical" | "alert" | "emergency";
type Handler = (...args: readonly unknown[]) => unknown;
type Setter = (...args: readonly unknown[]) => void;

export class StandingWishes {
  readonly #human: HumanClock;
  readonly #handlers = new Map<string, (client: Client) => void>();
  readonly #subscribed = new Set<string>();
  #mayAsk = false;
  readonly #capabilities: ClientCapabilities[] = [];
  logLevel: LogLevel | undefined;

  constructor(human: HumanClock) {
    this.#human = human;
  }

  /** whether the server may make somebody here wait in the middle of a call */
  get mayAsk(): boolean {
    return this.#mayAsk;
  }

  subscribe(uri: string): void {
    this.#subscribed.add(uri);
  }

  unsubscribe(uri: string): void {
    this.#subscribed.delete(uri);
  }

  registerCapabilities(capabilities: ClientCapabilities): void {
    this.#capabilities.push(capabilities);
  }

  /** @param args as the SDK's `setRequestHandler` takes them: method, perhaps schemas, handler */
  setRequestHandler(args: readonly unknown[], clients: readonly Client[]): void {
    this.#mayAsk = true;
    const handler = args.at(-1) as Handler;
    const timed: Handler = (...each) => this.#human.whileAsking(() => handler(...each));
    const all = [...args.slice(0, -1), timed];
    this.#set(`request ${String(args[0])}`, clients, (client) => {
      (client.setRequestHandler.bind(client) as Setter)(...all);
    });
  }

  setNotificationHandler(args: readonly unknown[], clients: readonly Client[]): void {
    this.#set(`notification ${String(args[0])}`, clients, (client) => {
      (client.setNotificationHandler.bind(client) as Setter)(...args);
    });
  }

  /** Before a client is connected. */
  prepare(client: Client): void {
    for (const each of this.#capabilities) client.registerCapabilities(each);
    for (const set of this.#handlers.values()) set(client);
  }

  /** After it was. What the server no longer offers is not wished for. */
  async restore(client: Client): Promise<void> {
    if (client.getProtocolEra() === "modern") return;
    const { resources, logging } = client.getServerCapabilities() ?? {};
    if (logging !== undefined && this.logLevel !== undefined) {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- only servers before 2026-07-28 are here
      await client.setLoggingLevel(this.logLevel);
    }
    if (resources?.subscribe !== true) return;
    for (const uri of this.#subscribed) await client.subscribeResource({ uri });
  }

  #set(key: string, clients: readonly Client[], set: (client: Client) => void): void {
    for (const client of clients) set(client);
    this.#handlers.set(key, set);
  }
}
