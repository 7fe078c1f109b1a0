/**
 * The SDK's client with the way of a request made shorter. The SDK asks at each request whether its era
 * has the method's result, by having it check what is none: an error is made, written out and thrown
 * away, a third of the processor time of a call over stdio. Here it is asked once for each method.
 */
import { Client } from "@modelcontextprotocol/client";
import type {
  Request,
  RequestMethod,
  RequestOptions,
  ResultTypeMap,
  StandardSchemaV1,
} from "@modelcontextprotocol/client";

type Codec = ReturnType<Client["_wireCodec"]>;

export class QuickClient extends Client {
  #codec: Codec | undefined;
  /** by method; undefined for one that has no result in this era */
  readonly #schemas = new Map<string, StandardSchemaV1 | undefined>();

  override request<M extends RequestMethod>(
    request: { method: M; params?: Record<string, unknown> },
    options?: RequestOptions,
  ): Promise<ResultTypeMap[M]>;
  override request<T extends StandardSchemaV1>(
    request: Request,
    resultSchema: T,
    options?: RequestOptions,
  ): Promise<StandardSchemaV1.InferOutput<T>>;
  override request(
    request: Request,
    schemaOrOptions?: StandardSchemaV1 | RequestOptions,
    options?: RequestOptions,
  ): Promise<unknown> {
    if (schemaOrOptions !== undefined && "~standard" in schemaOrOptions) {
      return super.request(request, schemaOrOptions, options);
    }
    const schema = this.#schemaOf(request.method);
    if (schema !== undefined) return super.request(request, schema, schemaOrOptions);
    return super.request(request as { method: RequestMethod }, schemaOrOptions);
  }

  #schemaOf(method: string): StandardSchemaV1 | undefined {
    // before that the method itself says which era it is of
    if (this.getNegotiatedProtocolVersion() === undefined) return undefined;
    const codec = this._wireCodec();
    if (codec !== this.#codec) this.#schemas.clear();
    this.#codec = codec;
    if (!this.#schemas.has(method)) this.#schemas.set(method, createSchema(codec, method));
    return this.#schemas.get(method);
  }
}

/** What the SDK makes of the codec itself. */
function createSchema(codec: Codec, method: string): StandardSchemaV1 | undefined {
  const probe = codec.validateResult(method, undefined);
  if (!probe.ok && probe.reason === "not-in-era") return undefined;
  const validate = (value: unknown): StandardSchemaV1.Result<unknown> => {
    const outcome = codec.validateResult(method, value);
    if (outcome.ok) return { value: outcome.value };
    const message = outcome.reason === "invalid" ? outcome.message : `not-in-era: ${method}`;
    return { issues: [{ message }] };
  };
  return { "~standard": { version: 1, vendor: "luminaguard", validate } };
}
