/** A machine gets a network card only after a person's yes to this one machine and this one command. */
import { LuminaGuardError } from "../errors.ts";
import type { LuminaGuard } from "../runtime/luminaguard.ts";
import { draftNetworkCard, takeNetworkCardPermit } from "../runtime/network-card.ts";
import type { NetworkCardPermit, NetworkCardWish } from "../runtime/network-card.ts";
import { askOverCliff } from "./ask-over-cliff.ts";
import type { CliIo } from "./io.ts";
import { findKeyboard } from "./keyboard.ts";

interface NetworkCardQuestion {
  /** as the command line has it */
  readonly word: string | undefined;
  readonly wish: NetworkCardWish;
  /** nobody is asked here */
  readonly quiet: boolean;
  readonly signal: AbortSignal;
}

/** Raises USAGE for a word that is none, APPROVAL_DENIED. */
export async function askForNetworkCard(
  io: CliIo,
  lumina: LuminaGuard,
  { word, wish, quiet, signal }: NetworkCardQuestion,
): Promise<NetworkCardPermit | undefined> {
  if (word === undefined || word === "none") return undefined;
  if (word !== "user") {
    throw new LuminaGuardError("USAGE", `--nic ${word}: there is no such network card`, {
      hint: "use none, or user: a card that reaches every address this host reaches",
    });
  }
  const open = await lumina.approvals.open(wish.workspace ?? undefined);
  using keyboard = findKeyboard(io, quiet);
  const here = { io, lumina, open, keyboard, signal };
  const { verdict } = await askOverCliff(here, draftNetworkCard(wish));
  if (verdict.outcome === "allowed") {
    return await takeNetworkCardPermit(open.cliff, verdict.approval.envelope.id);
  }
  throw new LuminaGuardError("APPROVAL_DENIED", `no network card: ${verdict.reason}`, {
    hint: "no shipped policy allows one; a rule of your own can: docs/policy.md, network-card",
  });
}
