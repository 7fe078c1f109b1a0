/**
 * The connection to one endpoint: made when first needed, once for all who wait, and made again when
 * it broke or the server forgot the session. Calls under way on an old one end in their own time.
 */
import { UnsupportedProtocolVersionError } from "@modelcontextprotocol/client";
import type { Client, PriorDiscovery } from "@modelcontextprotocol/client";
import { callAfter } from "../../../base/clock.ts";
import type { LuminaGuardError } from "../../../errors.ts";
import { createMcpError, factsOf } from "../delivery.ts";
import { explainError } from "../explain.ts";
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

/** how long, and until when, a caller waits for a connection */
export interface Wait {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
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
   * session, or no longer speaks the revision, did not begin the call: it is made again, once.
   */
  async use<T>(call: (dialed: Dialed) => Promise<T>, wait: Wait): Promise<T> {
    const connection = this.#connection ?? (await this.#connected(wait));
    try {
      return await this.#on(connection, call);
    } catch (error) {
      const isOtherRevision = error instanceof UnsupportedProtocolVersionError;
      if (isOtherRevision) this.#prior = undefined;
      else if (!connection.dialed.isSessionLost(error)) throw error;
      this.#drop(
        connection,
        isOtherRevision ? "the server's revision changed" : "the server forgot the session",
      );
    }
    return this.#on(this.#connection ?? (await this.#connected(wait)), call);
  }

  async close(): Promise<void> {
    this.#end.abort(new Error("the client was closed"));
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.dialed.close();
    // what is being dialed ends with the dialer
    await this.#options.dialer.close();
    await this.#dialing?.catch(() => undefined);
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

  /** One dial for all who wait; it goes on when one of them stops waiting. */
  #connected({ signal, timeoutMs }: Wait): Promise<Connection> {
    this.#dialing ??= this.#dial().finally(() => (this.#dialing = undefined));
    const dialing = this.#dialing;
    dialing.catch(() => undefined);
    return new Promise((resolve, reject) => {
      const callOff = callAfter(timeoutMs, () => reject(this.#createTimeout()));
      const onAbort = (): void => reject(signal?.reason as Error);
      if (signal?.aborted === true) onAbort();
      signal?.addEventListener("abort", onAbort, { once: true });
      const stopWaiting = (): void => {
        callOff();
        signal?.removeEventListener("abort", onAbort);
      };
      dialing.finally(stopWaiting).then(resolve, reject);
    });
  }

  #createTimeout(): LuminaGuardError {
    const message = `${this.name}: no connection within the call's time`;
    return createMcpError("TIMEOUT", message, {
      delivery: "never",
      phase: "total",
      endpoint: this.name,
    });
  }

  async #dial(): Promise<Connection> {
    const { dialer, createClient, dialMs, onDialed, onChange } = this.#options;
    this.#end.signal.throwIfAborted();
    const { signal } = this.#end;
    const wish = { createClient, prior: this.#prior, timeoutMs: dialMs, signal };
    const dialed = await dialer.dial(wish).catch((error: unknown) => {
      // a server that says no may have changed its revision: the next dial asks anew
      const { delivery } = factsOf(explainError(error, this.name));
      if (delivery === "answered") this.#prior = undefined;
      throw error;
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
