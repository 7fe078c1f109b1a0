/**
 * The connection to one endpoint: made when first needed, once for all who wait, and made again when
 * it broke or the server forgot the session. Calls under way on an old one end in their own time.
 */
import type { Client, PriorDiscovery } from "@modelcontextprotocol/client";
import type { Dialed, Dialer } from "../dialer.ts";

export interface LinkOptions {
  readonly dialer: Dialer;
  readonly createClient: () => Client;
  /** what is known of the server's era before it is asked */
  readonly prior: PriorDiscovery | undefined;
  /** until connected, in ms */
  readonly dialMs: number;
  /** before the first call on a connection */
  readonly onDialed: (client: Client) => Promise<void>;
  /** after each connection but the first */
  readonly onReconnect: () => void;
  readonly onChange: (why: string) => void;
}

interface Connection {
  readonly dialed: Dialed;
  calls: number;
  isDropped: boolean;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #end = new AbortController();
  #connection: Connection | undefined;
  #dialing: Promise<Connection> | undefined;
  #prior: PriorDiscovery | undefined;
  #wasConnected = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#prior = options.prior;
  }

  get name(): string {
    return this.#options.dialer.name;
  }

  /** the connection that stands, if one does */
  get current(): Dialed | undefined {
    return this.#connection?.dialed;
  }

  get isDialing(): boolean {
    return this.#dialing !== undefined;
  }

  /**
   * Runs a call on the connection, which is made first where there is none. A server that forgot the
   * session did not begin the call: it is made again, once, in a new one.
   */
  async use<T>(call: (dialed: Dialed) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const connection = this.#connection ?? (await abortable(this.#connect(), signal));
    try {
      return await this.#on(connection, call);
    } catch (error) {
      if (!connection.dialed.isSessionLost(error)) throw error;
      this.#drop(connection, "the server forgot the session");
    }
    return this.#on(this.#connection ?? (await abortable(this.#connect(), signal)), call);
  }

  /** Forgets what was learnt of the server's era, and connects anew for the next call. */
  forgetEra(): void {
    this.#prior = undefined;
    if (this.#connection !== undefined) this.#drop(this.#connection, "the server's era changed");
  }

  async close(): Promise<void> {
    this.#end.abort(new Error("the client was closed"));
    await this.#dialing?.catch(() => undefined);
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.dialed.close();
    await this.#options.dialer.close();
  }

  async #on<T>(connection: Connection, call: (dialed: Dialed) => Promise<T>): Promise<T> {
    connection.calls += 1;
    try {
      return await call(connection.dialed);
    } finally {
      connection.calls -= 1;
      this.#closeIfLeft(connection);
    }
  }

  #connect(): Promise<Connection> {
    this.#dialing ??= this.#dial().finally(() => (this.#dialing = undefined));
    return this.#dialing;
  }

  async #dial(): Promise<Connection> {
    const { dialer, createClient, dialMs, onDialed, onChange } = this.#options;
    this.#end.signal.throwIfAborted();
    const dialed = await dialer.dial({
      createClient,
      prior: this.#prior,
      timeoutMs: dialMs,
      signal: this.#end.signal,
    });
    if (this.#end.signal.aborted) {
      await dialed.close();
      this.#end.signal.throwIfAborted();
    }
    await onDialed(dialed.client);
    const connection = { dialed, calls: 0, isDropped: false };
    this.#prior = dialed.prior;
    this.#connection = connection;
    if (this.#wasConnected) this.#options.onReconnect();
    this.#wasConnected = true;
    const onClose = dialed.client.onclose;
    dialed.client.onclose = () => {
      onClose?.();
      if (this.#connection !== connection) return;
      this.#connection = undefined;
      onChange("the connection closed");
    };
    onChange("connected");
    return connection;
  }

  #drop(connection: Connection, why: string): void {
    connection.isDropped = true;
    this.#closeIfLeft(connection);
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#options.onChange(why);
  }

  #closeIfLeft({ isDropped, calls, dialed }: Connection): void {
    if (isDropped && calls === 0) void dialed.client.close();
  }
}

/** The work goes on for the others who wait for it. */
function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
