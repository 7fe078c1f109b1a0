/** What a broken connection means: where it broke, and whether the request can have arrived. */
import { LuminaGuardError, messageOf } from "../../../errors.ts";
import { createMcpError } from "../delivery.ts";
import type { Delivery } from "../delivery.ts";
import { toTlsError } from "../tls/tls-error.ts";

const dnsCodes: ReadonlySet<string> = new Set(["ENOTFOUND", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA"]);
/** Why a connection could not be made or broke, as the system names it: the innermost code. */
export function systemCodeOf(error: unknown): string {
  let code = "";
  for (let each = error, depth = 0; each instanceof Error && depth < 5; depth += 1) {
    const own = (each as NodeJS.ErrnoException).code;
    if (typeof own === "string") code = own;
    each = each instanceof AggregateError ? (each.errors[0] as unknown) : each.cause;
  }
  return code;
}

/**
 * MCP_DNS, MCP_TLS, TIMEOUT or MCP_TRANSIENT for what the connection raised.
 * @param wasSent whether a byte of the request was handed to a connection
 */
export function toConnectionError(
  error: unknown,
  wasSent: boolean,
  endpoint: string,
): LuminaGuardError {
  if (error instanceof LuminaGuardError) return error;
  const code = systemCodeOf(error);
  const delivery: Delivery = wasSent ? "maybe" : "never";
  const facts = { delivery, endpoint, cause: error };
  if (dnsCodes.has(code)) {
    const hint = "check the address, and that this host can resolve names";
    return createMcpError("MCP_DNS", `${endpoint}: its name is not found`, { ...facts, hint });
  }
  const tlsError = toTlsError(error, endpoint);
  if (tlsError !== undefined) return tlsError;
  if (code === "UND_ERR_CONNECT_TIMEOUT") {
    const message = `${endpoint}: no connection within its time`;
    return createMcpError("TIMEOUT", message, { ...facts, phase: "connect" });
  }
  const what = wasSent ? "the connection broke" : "cannot connect";
  const why = code === "" ? messageOf(error) : code;
  return createMcpError("MCP_TRANSIENT", `${endpoint}: ${what} (${why})`, facts);
}
