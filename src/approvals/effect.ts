/**
 * What outlives or leaves a machine. Each kind carries the facts its risk is judged by, and all of
 * them are facts the host holds: nothing here is what a guest, a tool or a model says of itself.
 */

export interface FileWriteBack {
  readonly kind: "file-write-back";
  /** folder on the host, absolute */
  readonly root: string;
  readonly added: number;
  readonly modified: number;
  readonly deleted: number;
  /** why files deserve a look, such as `runs in your CI`; each once, sorted */
  readonly flags: readonly string[];
}

export interface HostCommand {
  readonly kind: "host-command";
  readonly argv: readonly string[];
  readonly cwd: string;
}

export interface NetworkGrant {
  readonly kind: "network-grant";
  readonly host: string;
  readonly port: number;
  /** request methods in upper case, sorted */
  readonly methods: readonly string[];
  /** the host was never reached before by this person's machines */
  readonly isFirstContact: boolean;
}

/** A card in the machine's network: from then on no address is asked about. */
export interface NetworkCard {
  readonly kind: "network-card";
  /** `user`: every address that the host reaches, its own among them */
  readonly nic: "user";
}

export interface SecretUse {
  readonly kind: "secret-use";
  /** its name; the value is in no envelope */
  readonly secret: string;
  readonly host: string;
  /** `host` is one of the secret's own, as the person set them */
  readonly isOwnHost: boolean;
}

export interface McpCall {
  readonly kind: "mcp-call";
  readonly server: string;
  readonly tool: string;
  /** what the person's own configuration says of the tool; a server's own words only raise it */
  readonly harm: "harmless" | "unknown" | "destructive";
  /** this person's first call of the tool, or the tool's definition changed */
  readonly isFirstCall: boolean;
}

export interface GitLanding {
  readonly kind: "git-landing";
  readonly repository: string;
  readonly ref: string;
  /** commit ids; `before` is null for a new ref */
  readonly before: string | null;
  readonly after: string;
  /** `after` does not contain `before` */
  readonly isForced: boolean;
}

export interface MessageToPerson {
  readonly kind: "message";
  readonly channel: string;
  readonly recipients: readonly string[];
}

export interface PolicyChange {
  readonly kind: "policy-change";
  readonly what: "policy" | "grant" | "memory" | "skill";
  /** it allows more than before */
  readonly isWider: boolean;
}

export interface Spend {
  readonly kind: "spend";
  /** in the currency's hundredth part, such as cents */
  readonly amountMinor: number;
  /** ISO 4217 */
  readonly currency: string;
  readonly payee: string;
}

export type Effect =
  | FileWriteBack
  | HostCommand
  | NetworkGrant
  | NetworkCard
  | SecretUse
  | McpCall
  | GitLanding
  | MessageToPerson
  | PolicyChange
  | Spend;

export type EffectKind = Effect["kind"];

/** Every kind, in the order the specification lists them. */
export const effectKinds: readonly EffectKind[] = [
  "file-write-back",
  "host-command",
  "network-grant",
  "network-card",
  "secret-use",
  "mcp-call",
  "git-landing",
  "message",
  "policy-change",
  "spend",
];
