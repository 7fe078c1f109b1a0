/**
 * A machine's network card: the one way out that is not asked about address by address. It is an effect of
 * its own, which no shipped policy allows, and a machine gets one only by the permit that a yes gives.
 */
import * as v from "valibot";
import type { Cliff } from "../approvals/cliff.ts";
import type { EnvelopeDraft } from "../approvals/envelope.ts";
import { LuminaGuardError } from "../errors.ts";

const networkCardTool = "machine.network-card";

export interface NetworkCardWish {
  readonly run: string;
  readonly argv: readonly string[];
  readonly image: string;
  /** the folder whose files are sent into the machine; null: none are */
  readonly workspace: string | null;
}

/** Good for one machine, and for what was shown. */
export interface NetworkCardPermit {
  /** id of the envelope that was approved */
  readonly approval: string;
  readonly image: string;
  /** the command that the machine is for */
  readonly argv: readonly string[];
}

const argsSchema = v.object({ image: v.string(), argv: v.array(v.string()) });

/** permits that were given and not used; what is not in here is none, whoever made it */
const unused = new WeakSet<NetworkCardPermit>();

/** The person asked for it in words, so nothing from outside had a part in the asking. */
export function draftNetworkCard({ run, argv, image, workspace }: NetworkCardWish): EnvelopeDraft {
  return {
    ...{ who: "run", run, tool: networkCardTool },
    args: { nic: "user", argv: [...argv], image, ...(workspace !== null && { workspace }) },
    taint: { tainted: false, sources: [] },
    effects: [{ kind: "network-card", nic: "user" }],
  };
}

/** What an approved wish gives, once. Raises what `execute` raises. */
export function takeNetworkCardPermit(cliff: Cliff, id: string): Promise<NetworkCardPermit> {
  return cliff.execute(id, ({ tool, args }) => {
    const asked = v.safeParse(argsSchema, args);
    if (tool !== networkCardTool || !asked.success) {
      throw new LuminaGuardError("ENVELOPE_INVALID", `a network card is not what ${tool} asks for`);
    }
    const permit = Object.freeze({ approval: id, ...asked.output });
    unused.add(permit);
    return Promise.resolve(permit);
  });
}

/** Raises APPROVAL_DENIED for a permit that was used, that is for another image, or that nobody gave. */
export function useNetworkCardPermit(permit: NetworkCardPermit, image: string): void {
  if (unused.delete(permit) && permit.image === image) return;
  throw new LuminaGuardError("APPROVAL_DENIED", "nobody approved a network card for this machine", {
    hint: "each machine with a card is asked about: draftNetworkCard, then takeNetworkCardPermit",
  });
}
