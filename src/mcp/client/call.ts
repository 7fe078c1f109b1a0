/** One call, as the client hands it on, and how others follow it: for metrics, traces, a program's own log. */
import type { Client, RequestOptions } from "@modelcontextprotocol/client";
import type { LuminaGuardError } from "../../errors.ts";
import type { Dialed } from "./dialer.ts";
import type { Endpoint } from "./endpoints/endpoint.ts";

/** What is added to a request's `_meta`; what the program wrote there itself stays. */
export type RequestMeta = Readonly<Record<string, string>>;

export interface Call<T> {
  readonly method: string;
  /** the tool, prompt or resource, where there is one */
  readonly name?: string | undefined;
  /** whether carrying it out twice is the same as once */
  readonly isIdempotent: boolean;
  readonly options: RequestOptions | undefined;
  readonly invoke: (client: Client, options: RequestOptions, meta?: RequestMeta) => Promise<T>;
}

export interface CallEnd {
  /** from the call's begin to its end, waits included, time in which a person was asked left out, in ms */
  readonly durationMs: number;
  /** what the caller gets, where it got no result */
  readonly error?: LuminaGuardError;
  readonly result?: unknown;
}

/** Follows one call. Nothing here may throw. */
export interface CallWatch {
  /** Runs the call inside what belongs to it, such as an active span. */
  readonly around?: <T>(work: () => Promise<T>) => Promise<T>;
  /** Before each time the call is sent; gives what is to go with it. */
  readonly onAttempt?: (endpoint: Endpoint, dialed: Dialed) => RequestMeta | undefined;
  /** Before it is sent again, with what it failed with. */
  readonly onRetry?: (error: LuminaGuardError) => void;
  readonly onEnd?: (end: CallEnd) => void;
}

export interface CallObserver {
  /** Undefined when this call is of no interest. Must not throw. */
  readonly begin: (call: Call<unknown>) => CallWatch | undefined;
}

/** One observer for all of them; undefined for none, which costs nothing. */
export function composeObservers(observers: readonly CallObserver[]): CallObserver | undefined {
  if (observers.length < 2) return observers[0];
  return {
    begin: (call) => composeWatches(observers.flatMap((each) => each.begin(call) ?? [])),
  };
}

function composeWatches(watches: readonly CallWatch[]): CallWatch | undefined {
  if (watches.length < 2) return watches[0];
  return {
    around: (work) =>
      watches.reduceRight<typeof work>(
        (inner, { around }) => (around === undefined ? inner : () => around(inner)),
        work,
      )(),
    onAttempt: (endpoint, dialed) => {
      let meta: RequestMeta | undefined;
      for (const each of watches) {
        const more = each.onAttempt?.(endpoint, dialed);
        if (more !== undefined) meta = { ...meta, ...more };
      }
      return meta;
    },
    onRetry: (error) => watches.forEach((each) => each.onRetry?.(error)),
    onEnd: (end) => watches.forEach((each) => each.onEnd?.(end)),
  };
}

/** The params with what is to go with the request. */
export function withMeta<P extends object | undefined>(
  params: P,
  meta: RequestMeta | undefined,
): P {
  if (meta === undefined) return params;
  const own: unknown = params !== undefined && "_meta" in params ? params._meta : undefined;
  return { ...params, _meta: { ...meta, ...(own as object | undefined) } };
}
