/**
 * One request of a client passed on to the guest, and its answer passed back: bytes as they come, at the
 * pace of whoever is slower. A stream that either side resets is reset on the other.
 */
import http2 from "node:http2";
import type {
  ClientHttp2Stream,
  IncomingHttpHeaders,
  OutgoingHttpHeaders,
  ServerHttp2Stream,
} from "node:http2";

/** @param open opens the stream to the guest */
export function forward(
  client: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  open: (headers: OutgoingHttpHeaders) => ClientHttp2Stream,
): ClientHttp2Stream {
  const guest = open(outgoing(headers));
  guest.once("response", (answer) => {
    if (!client.destroyed && !client.headersSent) client.respond(answered(answer));
  });
  client.pipe(guest);
  guest.pipe(client);
  client.once("close", () => {
    if (!guest.closed) guest.close(client.rstCode || http2.constants.NGHTTP2_CANCEL);
  });
  client.on("error", () => undefined); // its close ends the other
  guest.once("close", () => {
    if (client.closed) return;
    if (guest.rstCode === http2.constants.NGHTTP2_NO_ERROR && client.headersSent) client.end();
    else client.close(guest.rstCode || http2.constants.NGHTTP2_INTERNAL_ERROR);
  });
  return guest;
}

/** What is said of one connection is not said on another. */
const hopByHop: ReadonlySet<string> = new Set([":scheme", "host"]);

function outgoing(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const isTunnel = headers[":method"] === "CONNECT";
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => {
      return !hopByHop.has(name) && (isTunnel || name !== ":authority");
    }),
  );
}

function answered(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "date"));
}
