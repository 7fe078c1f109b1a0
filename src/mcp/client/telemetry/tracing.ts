/**
 * A span for each call and the histogram `mcp.client.operation.duration`, through OpenTelemetry's API:
 * whoever registers an OpenTelemetry SDK gets them, before the client connects for the histogram. The
 * id of the JSON-RPC request is left out, as each attempt has another; the session's, as it is a secret.
 */
import {
  SpanKind,
  SpanStatusCode,
  context,
  createNoopMeter,
  metrics,
  propagation,
  trace,
} from "@opentelemetry/api";
import type { Attributes, Context, Histogram, Span } from "@opentelemetry/api";
import type { Call, CallEnd, CallObserver, CallWatch, RequestMeta } from "../call.ts";
import type { Dialed } from "../dialer.ts";
import type { Endpoint } from "../endpoints/endpoint.ts";
import { BoundedNames, durationBounds, errorTypeOf, rpcCodeOf, toolOf } from "./operation.ts";

const scope = "luminaguard";
/** what of a propagator's words a request may carry: the keys that MCP reserves for W3C trace context */
const metaKeys = ["traceparent", "tracestate", "baggage"] as const;
/** longest resource address in a span, in characters */
const uriMax = 256;

export function createTracing(): CallObserver {
  const tracer = trace.getTracer(scope);
  const meter = metrics.getMeter(scope);
  const durations =
    meter === createNoopMeter()
      ? undefined
      : meter.createHistogram("mcp.client.operation.duration", {
          unit: "s",
          description: "The duration of the MCP request as observed on the sender.",
          advice: { explicitBucketBoundaries: [...durationBounds] },
        });
  const names = new BoundedNames();
  return {
    begin: (call) => {
      const target = toolOf(call) ?? (call.method === "prompts/get" ? call.name : undefined);
      const name = target === undefined ? call.method : `${call.method} ${target}`;
      const span = tracer.startSpan(name, { kind: SpanKind.CLIENT });
      if (!span.isRecording() && durations === undefined) return undefined;
      return new TracedCall(call, span, durations, names);
    },
  };
}

class TracedCall implements CallWatch {
  readonly #call: Call<unknown>;
  readonly #span: Span | undefined;
  readonly #context: Context;
  readonly #durations: Histogram | undefined;
  readonly #names: BoundedNames;
  #dialed: Dialed | undefined;

  constructor(
    call: Call<unknown>,
    span: Span,
    durations: Histogram | undefined,
    names: BoundedNames,
  ) {
    this.#call = call;
    this.#span = span.isRecording() ? span : undefined;
    this.#context = trace.setSpan(context.active(), span);
    this.#durations = durations;
    this.#names = names;
    this.#span?.setAttributes(describeCall(call));
  }

  around<T>(work: () => Promise<T>): Promise<T> {
    return context.with(this.#context, work);
  }

  onAttempt(endpoint: Endpoint, dialed: Dialed): RequestMeta | undefined {
    this.#dialed = dialed;
    if (this.#span === undefined) return undefined;
    this.#span.setAttributes({ ...describeDialed(dialed), ...describeAddress(endpoint.name) });
    return dialed.client.getProtocolEra() === "modern" ? this.#traceMeta() : undefined;
  }

  onRetry({ code }: { readonly code: string }): void {
    this.#span?.addEvent("retry", { "error.type": code });
  }

  onEnd(end: CallEnd): void {
    const failure = describeFailure(end);
    const measured = { ...describeCall(this.#call), ...describeDialed(this.#dialed), ...failure };
    const tool = toolOf(this.#call);
    if (tool !== undefined) measured["gen_ai.tool.name"] = this.#names.at(tool);
    // neither has a bound that a store of metrics could live with
    delete measured["mcp.resource.uri"];
    delete measured["gen_ai.prompt.name"];
    this.#durations?.record(end.durationMs / 1000, measured, this.#context);
    if (this.#span === undefined) return;
    if (failure["error.type"] !== undefined) {
      const message = end.error?.message;
      this.#span.setStatus({
        code: SpanStatusCode.ERROR,
        ...(message === undefined ? {} : { message }),
      });
      this.#span.setAttributes(failure);
    }
    this.#span.end();
  }

  #traceMeta(): RequestMeta {
    const carrier: Record<string, unknown> = {};
    propagation.inject(this.#context, carrier);
    const meta: Record<string, string> = {};
    for (const key of metaKeys) {
      const value = carrier[key];
      if (typeof value === "string") meta[key] = value;
    }
    return meta;
  }
}

function describeCall(call: Call<unknown>): Attributes {
  const { method, name } = call;
  const attributes: Attributes = { "mcp.method.name": method };
  const tool = toolOf(call);
  if (tool !== undefined) {
    attributes["gen_ai.tool.name"] = tool;
    attributes["gen_ai.operation.name"] = "execute_tool";
  } else if (method === "prompts/get" && name !== undefined) {
    attributes["gen_ai.prompt.name"] = name;
  } else if (method.startsWith("resources/") && name !== undefined) {
    attributes["mcp.resource.uri"] = bareUri(name);
  }
  return attributes;
}

function describeDialed(dialed: Dialed | undefined): Attributes {
  if (dialed === undefined) return {};
  const version = dialed.client.getNegotiatedProtocolVersion();
  return {
    "network.transport": dialed.network,
    ...(version === undefined ? {} : { "mcp.protocol.version": version }),
  };
}

function describeAddress(endpoint: string): Attributes {
  if (!/^https?:/.test(endpoint) || !URL.canParse(endpoint)) return {};
  const { hostname, port, protocol } = new URL(endpoint);
  const usual = protocol === "https:" ? 443 : 80;
  return { "server.address": hostname, "server.port": port === "" ? usual : Number(port) };
}

function describeFailure(end: CallEnd): Attributes {
  const type = errorTypeOf(end);
  if (type === undefined) return {};
  const code = end.error === undefined ? undefined : rpcCodeOf(end.error);
  return {
    "error.type": type,
    ...(code === undefined ? {} : { "rpc.response.status_code": code }),
  };
}

/** Without what may be a secret: user, password, query, fragment. */
function bareUri(uri: string): string {
  return uri
    .replace(/[?#].*$/su, "")
    .replace(/^([^/]*\/\/)[^/]*@/u, "$1")
    .slice(0, uriMax);
}
