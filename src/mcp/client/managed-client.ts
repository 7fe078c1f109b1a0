/**
 * A client of one MCP server that survives: connections that break, sessions that are forgotten,
 * endpoints that go away. Its face is the SDK's client's, so that a program changes one import.
 */
import { InMemoryResponseCacheStore } from "@modelcontextprotocol/client";
import type {
  CacheableRequestOptions,
  CallToolRequestOptions,
  CallToolResult,
  Client,
  ClientCapabilities,
  ConnectOptions,
  GetPromptResult,
  Implementation,
  ListToolsResult,
  ReadResourceResult,
  RequestOptions,
  ServerCapabilities,
} from "@modelcontextprotocol/client";
import { hostClock } from "../../base/clock.ts";
import { LuminaGuardError } from "../../errors.ts";
import { withMeta } from "./call.ts";
import type { Call } from "./call.ts";
import { createSdkClient } from "./client-options.ts";
import type { ManagedClientOptions, ToolErrors, Twice } from "./client-options.ts";
import type { ConnectionSnapshot, StateChange } from "./connection-state.ts";
import { askWhetherThere } from "./ask-whether-there.ts";
import { createMcpError } from "./delivery.ts";
import { Engine } from "./engine.ts";
import { explainError } from "./explain.ts";
import { HumanClock } from "./human-clock.ts";
import { planConnection } from "./plan.ts";
import type { McpServer } from "./plan.ts";
import { StandingWishes } from "./standing-wishes.ts";
import type { LogLevel } from "./standing-wishes.ts";
import type { Subscription } from "./subscription.ts";
import { openSubscription } from "./subscription.ts";

export class ManagedClient {
  /**
   * Told of what goes wrong beside calls: a message that is none, a listener that throws. What a call
   * ends with goes to its caller alone.
   */
  onerror: ((error: Error) => void) | undefined;
  readonly #info: Implementation;
  readonly #options: ManagedClientOptions;
  readonly #human = new HumanClock();
  readonly #wishes = new StandingWishes(this.#human);
  readonly #cache = new InMemoryResponseCacheStore();
  readonly #subscriptions = new Set<Subscription>();
  #engine: Engine | undefined;

  constructor(info: Implementation, options: ManagedClientOptions = {}) {
    this.#info = info;
    this.#options = options;
  }

  /**
   * Reaches the server once, so that what is wrong shows now. Later failures are mended as they come.
   * Raises what the first call would: MCP_UNAVAILABLE, MCP_AUTH_REQUIRED, MCP_TLS, …
   */
  async connect(server: McpServer, options: ConnectOptions = {}): Promise<void> {
    const { prior, ...rest } = options;
    if (this.#engine !== undefined) {
      throw new LuminaGuardError("USAGE", "the client is connected already", {
        hint: "close it first, or make another client",
      });
    }
    const plan = planConnection(server, this.#human);
    this.#engine = new Engine(plan, {
      ...this.#options,
      human: this.#human,
      wishes: this.#wishes,
      createClient: () => this.#createClient(plan.eraMs),
      onError: this.#tell,
      prior,
    });
    try {
      await this.#run({
        method: "connect",
        isIdempotent: true,
        options: rest,
        invoke: () => Promise.resolve(),
      });
      this.#engine.startHealthCheck();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Ends sessions, connections and child processes. Calls under way end with MCP_TRANSIENT or unknown. */
  async close(): Promise<void> {
    const engine = this.#engine;
    if (engine === undefined) return;
    this.#engine = undefined;
    for (const subscription of [...this.#subscriptions]) await subscription.close();
    await engine.close();
  }

  /** All tools, or one page of them where a cursor is given. */
  async listTools(
    params?: Parameters<Client["listTools"]>[0],
    options?: CacheableRequestOptions,
  ): Promise<ListToolsResult> {
    const result = await this.#read("tools/list", options, (client, each, meta) =>
      client.listTools(withMeta(params, meta), each),
    );
    if (params?.cursor === undefined) this.#engine?.notes.learn(result.tools);
    return result;
  }

  /**
   * Calls a tool. A call that was sent and lost is sent again only where `idempotent` says that twice
   * is once, or the tool says so and the server's options trust it; else it ends in
   * MCP_OUTCOME_UNKNOWN.
   */
  async callTool(
    params: Parameters<Client["callTool"]>[0],
    options: CallToolRequestOptions & Twice & ToolErrors = {},
  ): Promise<CallToolResult> {
    const { idempotent, toolErrors, ...rest } = options;
    const result = await this.#run({
      method: "tools/call",
      name: params.name,
      isIdempotent: idempotent ?? this.#engine?.notes.isIdempotent(params.name) ?? false,
      options: rest,
      invoke: (client, each, meta) => client.callTool(withMeta(params, meta), { ...rest, ...each }),
    });
    if (result.isError === true && toolErrors === "throw") throw toToolError(params.name, result);
    return result;
  }

  listPrompts(
    params?: Parameters<Client["listPrompts"]>[0],
    options?: CacheableRequestOptions,
  ): ReturnType<Client["listPrompts"]> {
    return this.#read("prompts/list", options, (client, each, meta) =>
      client.listPrompts(withMeta(params, meta), each),
    );
  }

  getPrompt(
    params: Parameters<Client["getPrompt"]>[0],
    options?: RequestOptions,
  ): ReturnType<Client["getPrompt"]> {
    const get: Call<GetPromptResult>["invoke"] = (client, each, meta) =>
      client.getPrompt(withMeta(params, meta), each);
    return this.#read("prompts/get", options, get, params.name);
  }

  listResources(
    params?: Parameters<Client["listResources"]>[0],
    options?: CacheableRequestOptions,
  ): ReturnType<Client["listResources"]> {
    return this.#read("resources/list", options, (client, each, meta) =>
      client.listResources(withMeta(params, meta), each),
    );
  }

  listResourceTemplates(
    params?: Parameters<Client["listResourceTemplates"]>[0],
    options?: CacheableRequestOptions,
  ): ReturnType<Client["listResourceTemplates"]> {
    return this.#read("resources/templates/list", options, (client, each, meta) =>
      client.listResourceTemplates(withMeta(params, meta), each),
    );
  }

  readResource(
    params: Parameters<Client["readResource"]>[0],
    options?: CacheableRequestOptions,
  ): ReturnType<Client["readResource"]> {
    const read: Call<ReadResourceResult>["invoke"] = (client, each, meta) =>
      client.readResource(withMeta(params, meta), each);
    return this.#read("resources/read", options, read, params.uri);
  }

  complete(
    params: Parameters<Client["complete"]>[0],
    options?: RequestOptions,
  ): ReturnType<Client["complete"]> {
    return this.#read("completion/complete", options, (client, each, meta) =>
      client.complete(withMeta(params, meta), each),
    );
  }

  /** Asks the server whether it is there, as its era has it. Any answer of the server's says yes. */
  async ping(options?: RequestOptions): Promise<void> {
    await this.#read("ping", options, (client, each) => askWhetherThere(client, each));
  }

  /** Changes of one resource, in the eras before 2026-07-28; wished for again after a reconnect. */
  async subscribeResource(
    params: Parameters<Client["subscribeResource"]>[0],
    options?: RequestOptions,
  ): Promise<void> {
    await this.#read("resources/subscribe", options, (client, each) =>
      client.subscribeResource(params, each),
    );
    this.#wishes.subscribe(params.uri);
  }

  async unsubscribeResource(
    params: Parameters<Client["unsubscribeResource"]>[0],
    options?: RequestOptions,
  ): Promise<void> {
    this.#wishes.unsubscribe(params.uri);
    await this.#read("resources/unsubscribe", options, (client, each) =>
      client.unsubscribeResource(params, each),
    );
  }

  /** Changes of lists and resources, since 2026-07-28; listened for again when the stream ends. */
  async listen(
    filter: Parameters<Client["listen"]>[0],
    options?: RequestOptions,
  ): Promise<Subscription> {
    const { retry } = this.#need().plan;
    const subscription = await openSubscription({
      retry,
      clock: this.#options.clock ?? hostClock,
      random: this.#options.random ?? Math.random,
      listen: () =>
        this.#read("subscriptions/listen", options, (client, each) => client.listen(filter, each)),
      onClose: (each) => void this.#subscriptions.delete(each),
    });
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async setLoggingLevel(level: LogLevel, options?: RequestOptions): Promise<void> {
    await this.#read("logging/setLevel", options, (client, each) =>
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- servers before 2026-07-28 have it
      client.setLoggingLevel(level, each),
    );
    this.#wishes.logLevel = level;
  }

  /** Any request; sent again after a loss only where `idempotent` says so. */
  request(
    request: Parameters<Client["request"]>[0],
    options: RequestOptions & Twice = {},
  ): Promise<unknown> {
    const { idempotent, ...rest } = options;
    return this.#run({
      method: request.method,
      isIdempotent: idempotent ?? false,
      options: rest,
      invoke: (client, each, meta) => {
        const params = withMeta(request.params, meta);
        return client.request({ ...request, params } as never, each);
      },
    });
  }

  /** As the SDK's; time spent in a handler is not counted as the server's. */
  readonly setRequestHandler: Client["setRequestHandler"] = (...args: unknown[]): void => {
    this.#wishes.setRequestHandler(args, this.#clients());
  };

  /** As the SDK's. */
  readonly setNotificationHandler: Client["setNotificationHandler"] = (
    ...args: unknown[]
  ): void => {
    this.#wishes.setNotificationHandler(args, this.#clients());
  };

  /** What this client can do for servers, besides what its options say; before it is connected. Raises USAGE. */
  registerCapabilities(capabilities: ClientCapabilities): void {
    if (this.#engine !== undefined) {
      throw new LuminaGuardError("USAGE", "what a client can do is said before it is connected");
    }
    this.#wishes.registerCapabilities(capabilities);
  }

  /** Tells every session that the roots are others now. Servers of 2026-07-28 ask when they need them. */
  async sendRootsListChanged(): Promise<void> {
    this.#need();
    const sessions = this.#clients().filter((each) => each.getProtocolEra() === "legacy");
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- servers before 2026-07-28 have it
    const told = sessions.map((each) => each.sendRootsListChanged());
    await Promise.all(told).catch((error: unknown) => {
      throw explainError(error, "the server");
    });
  }

  getServerCapabilities(): ServerCapabilities | undefined {
    return this.#current()?.getServerCapabilities();
  }

  getServerVersion(): Implementation | undefined {
    return this.#current()?.getServerVersion();
  }

  getInstructions(): string | undefined {
    return this.#current()?.getInstructions();
  }

  getNegotiatedProtocolVersion(): string | undefined {
    return this.#current()?.getNegotiatedProtocolVersion();
  }

  getProtocolEra(): ReturnType<Client["getProtocolEra"]> {
    return this.#current()?.getProtocolEra();
  }

  /** How the client stands with its server, endpoint by endpoint. */
  snapshot(): ConnectionSnapshot {
    return this.#engine?.state.snapshot() ?? { state: "closed", endpoints: [], history: [] };
  }

  /** Tells of each change of state; gives what ends it. */
  onStateChange(listener: (change: StateChange) => void): () => void {
    return this.#need().state.listen(listener);
  }

  #read<T>(
    method: string,
    options: RequestOptions | undefined,
    invoke: Call<T>["invoke"],
    name?: string,
  ): Promise<T> {
    return this.#run({ method, name, isIdempotent: true, options, invoke });
  }

  async #run<T>(call: Call<T>): Promise<T> {
    return this.#need().run(call);
  }

  #need(): Engine {
    if (this.#engine !== undefined) return this.#engine;
    throw createMcpError("MCP_UNAVAILABLE", "the client is not connected", {
      delivery: "never",
      hint: "call connect first",
    });
  }

  #current(): Client | undefined {
    return this.#clients()[0];
  }

  #clients(): Client[] {
    return this.#engine?.clients() ?? [];
  }

  #createClient(eraMs: number | undefined): Client {
    const parts = { human: this.#human, cache: this.#cache, eraMs };
    const client = createSdkClient(this.#info, this.#options, parts);
    client.onerror = this.#tell;
    this.#wishes.prepare(client);
    return client;
  }

  readonly #tell = (error: Error): void => {
    try {
      this.onerror?.(error);
    } catch {
      // who fails while told of an error would only be told of that: calls and connections go on
    }
  };
}

function toToolError(name: string, result: CallToolResult): LuminaGuardError {
  const text = result.content
    .flatMap((each) => (each.type === "text" ? [each.text] : []))
    .join("\n");
  return createMcpError("MCP_TOOL_ERROR", `the tool ${name} failed`, {
    delivery: "answered",
    cause: new Error(text),
  });
}
