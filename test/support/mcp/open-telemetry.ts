/** A little OpenTelemetry SDK behind the real API: keeps spans and measurements for a test to look at. */
import { AsyncLocalStorage } from "node:async_hooks";
import {
  ROOT_CONTEXT,
  context,
  createNoopMeter,
  metrics,
  propagation,
  trace,
} from "@opentelemetry/api";
import type {
  Attributes,
  Context,
  ContextManager,
  Histogram,
  Meter,
  Span,
  SpanOptions,
  SpanStatus,
  TextMapPropagator,
} from "@opentelemetry/api";

export interface KeptSpan {
  readonly name: string;
  readonly options: SpanOptions;
  readonly parent: string | undefined;
  readonly spanId: string;
  readonly attributes: Attributes;
  readonly events: { readonly name: string; readonly attributes: unknown }[];
  status: SpanStatus | undefined;
  isEnded: boolean;
}

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";

export class KeptTelemetry implements Disposable {
  readonly spans: KeptSpan[] = [];
  readonly measured: {
    readonly name: string;
    readonly value: number;
    readonly attributes: Attributes;
  }[] = [];

  /** @param isRecording false for a sampler that keeps nothing */
  constructor(isRecording = true) {
    context.setGlobalContextManager(new AsyncContext());
    propagation.setGlobalPropagator(w3c);
    trace.setGlobalTracerProvider({
      getTracer: () => ({
        startSpan: (name, options = {}, parent = context.active()) =>
          this.#start(name, options, parent, isRecording),
        startActiveSpan: () => {
          throw new Error("not used");
        },
      }),
    });
    const createHistogram = (name: string): Histogram => ({
      record: (value, attributes) =>
        void this.measured.push({ name, value, attributes: attributes ?? {} }),
    });
    const meter = Object.assign(Object.create(createNoopMeter()) as Meter, { createHistogram });
    metrics.setGlobalMeterProvider({ getMeter: () => meter });
  }

  [Symbol.dispose](): void {
    for (const each of [trace, metrics, propagation, context]) each.disable();
  }

  #start(name: string, options: SpanOptions, parent: Context, isRecording: boolean): Span {
    const spanId = String(this.spans.length + 1).padStart(16, "0");
    const kept: KeptSpan = {
      ...{ name, options, spanId, attributes: {}, events: [], status: undefined, isEnded: false },
      parent: trace.getSpan(parent)?.spanContext().spanId,
    };
    if (isRecording) this.spans.push(kept);
    const span: Span = {
      spanContext: () => ({ traceId, spanId, traceFlags: 1 }),
      setAttribute: (key, value) => (Object.assign(kept.attributes, { [key]: value }), span),
      setAttributes: (more) => (Object.assign(kept.attributes, more), span),
      addEvent: (event, attributes) => (kept.events.push({ name: event, attributes }), span),
      addLink: () => span,
      addLinks: () => span,
      setStatus: (status) => ((kept.status = status), span),
      updateName: () => span,
      end: () => void (kept.isEnded = true),
      isRecording: () => isRecording,
      recordException: () => undefined,
    };
    return span;
  }
}

/** Writes a key that MCP does not reserve, too. */
const w3c: TextMapPropagator = {
  inject: (from, carrier, setter) => {
    const found = trace.getSpan(from)?.spanContext();
    if (found === undefined) return;
    setter.set(carrier, "traceparent", `00-${found.traceId}-${found.spanId}-01`);
    setter.set(carrier, "tracestate", "rojo=00f067aa0ba902b7");
    setter.set(carrier, "baggage", "user=alice");
    setter.set(carrier, "b3", "not one of W3C's");
  },
  extract: (to) => to,
  fields: () => ["traceparent", "tracestate", "baggage", "b3"],
};

class AsyncContext implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    within: Context,
    run: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(within, () => run.call(thisArg, ...args));
  }

  bind<T>(_within: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}
