/** The SDK's Streamable HTTP transport, with an end for every call whose stream breaks. */
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type {
  JSONRPCMessage,
  RequestId,
  StreamableHTTPClientTransportOptions,
} from "@modelcontextprotocol/client";
import { createLostAnswer } from "./lost-answer.ts";

/** longest wait before a standing stream that keeps ending is opened again, in ms */
const reopenMaxMs = 60_000;

type SendOptions = Parameters<StreamableHTTPClientTransport["send"]>[1];
type OnMessage = NonNullable<StreamableHTTPClientTransport["onmessage"]>;

export class EnduringHttpTransport extends StreamableHTTPClientTransport {
  readonly #unanswered = new Set<RequestId>();
  #hearing: OnMessage | undefined;

  constructor(url: URL, options: StreamableHTTPClientTransportOptions) {
    super(url, {
      ...options,
      reconnectionOptions: {
        initialReconnectionDelay: 1000,
        maxReconnectionDelay: reopenMaxMs,
        reconnectionDelayGrowFactor: 2,
        maxRetries: 5,
      },
    });
  }

  override async send(message: JSONRPCMessage, options?: SendOptions): Promise<void> {
    // what the SDK sends needs no check of its form; a subscription's stream has an end of its own
    const isRequest = "method" in message && "id" in message;
    if (!isRequest || options?.onRequestStreamEnd !== undefined) {
      return super.send(message, options);
    }
    this.#hearAnswers();
    const { id } = message;
    this.#unanswered.add(id);
    try {
      await super.send(message, { ...options, onRequestStreamEnd: () => this.#giveUp(id) });
    } catch (error) {
      this.#unanswered.delete(id);
      throw error;
    }
  }

  /** The SDK sets another listener once it knows the server's era. */
  #hearAnswers(): void {
    const deliver = this.onmessage;
    if (deliver === undefined || deliver === this.#hearing) return;
    this.#hearing = (message) => {
      if (!("method" in message) && message.id !== undefined) this.#unanswered.delete(message.id);
      deliver(message);
    };
    this.onmessage = this.#hearing;
  }

  #giveUp(id: RequestId): void {
    if (!this.#unanswered.delete(id)) return;
    // text ids are the SDK's probe of the era: an error for an answer would be taken for an old server's
    if (typeof id === "string") void this.close();
    else this.onmessage?.(createLostAnswer(id));
  }
}
