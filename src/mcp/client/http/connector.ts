/**
 * Connections of an endpoint: the TCP connection and the TLS handshake have a limit each, and what
 * TLS needs is asked for at each new connection, so that a renewed certificate is used by the next.
 */
import { Agent, buildConnector } from "undici";
import type { Dispatcher } from "undici";
import { createMcpError } from "../delivery.ts";
import { endWithAlert } from "../tls/tls-error.ts";
import type { TlsSettings } from "../tls/tls-source.ts";

export interface ConnectorOptions {
  /** until the TCP connection stands, in ms */
  readonly connectMs: number;
  /** until the TLS handshake is done, in ms */
  readonly tlsMs: number;
  /** most connections to one origin */
  readonly connectionsMax: number;
  /** what TLS needs beside the system's roots, asked for at each connection; the same object while nothing changed */
  readonly tls?: () => TlsSettings;
}

/** A pool of connections per origin. Whoever makes it closes it. */
export function createConnectionPool(options: ConnectorOptions): Dispatcher {
  return new Agent({
    connections: options.connectionsMax,
    pipelining: 1,
    connect: createConnector(options),
  });
}

function createConnector(options: ConnectorOptions): buildConnector.connector {
  const connectTcp = buildConnector({ timeout: options.connectMs });
  const tlsConnector = createTlsConnectors(options);
  return (target, whenDone) => {
    if (target.protocol !== "https:") {
      connectTcp(target, whenDone);
      return;
    }
    const port = target.port === "" ? "443" : target.port;
    connectTcp({ ...target, protocol: "http:", port }, (error, socket) => {
      if (error !== null) {
        whenDone(error, null);
        return;
      }
      tlsConnector()({ ...target, httpSocket: socket }, (failure, secured) => {
        if (failure !== null) {
          whenDone(markHandshake(failure), null);
          return;
        }
        endWithAlert(secured);
        whenDone(null, secured);
      });
    });
  };
}

/** One connector, with its sessions to resume, for as long as the settings are the same object. */
function createTlsConnectors({ tlsMs, tls }: ConnectorOptions): () => buildConnector.connector {
  let settings = tls?.();
  let connector = build();
  return () => {
    const current = tls?.();
    if (current !== settings) {
      settings = current;
      connector = build();
    }
    return connector;
  };

  function build(): buildConnector.connector {
    // verification is on, whatever NODE_TLS_REJECT_UNAUTHORIZED says
    const fixed = { rejectUnauthorized: true, timeout: tlsMs, allowH2: false };
    return buildConnector({ ...settings, ...fixed });
  }
}

/** A handshake that took too long is told from a connection that did. */
function markHandshake(error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== "UND_ERR_CONNECT_TIMEOUT") return error;
  const facts = { delivery: "never", phase: "tls", cause: error } as const;
  return createMcpError("TIMEOUT", "no TLS handshake within its time", facts);
}
