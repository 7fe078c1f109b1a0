/** Changes that a machine made and nobody answered yet, before the real cliff: real ledger, real policy. */
import type { OpenCliff } from "../../src/runtime/cliff/cliff-desk.ts";
import type { LuminaGuard } from "../../src/runtime/luminaguard.ts";
import type { ChangeSet } from "../../src/runtime/values.ts";
import { draftWriteBack, executeWriteBack } from "../../src/runtime/cliff/write-back.ts";
import type { ApplyResult } from "../../src/workspace/apply.ts";
import { ask } from "./answers.ts";
import type { Asked } from "./answers.ts";
import { makeExchange } from "./exchange.ts";
import type { Exchange } from "./exchange.ts";
import { createOwnLumina } from "./lumina.ts";
import type { Tree } from "./make-tree.ts";

export interface KeptChanges extends AsyncDisposable {
  readonly exchange: Exchange;
  readonly lumina: LuminaGuard;
  readonly open: OpenCliff;
  readonly set: ChangeSet;
  /** Draws the card of the set, or of another that says something else. */
  readonly ask: (set?: ChangeSet) => Promise<Asked>;
  /** What a run does once it was allowed. */
  readonly write: (asked: Asked) => Promise<ApplyResult>;
}

const origin = { run: "R1", machine: null, exitCode: 0, timedOut: false };

export async function keepChanges(host: Tree, guest: Tree): Promise<KeptChanges> {
  const exchange = makeExchange(host);
  const own = await createOwnLumina({ stateDir: exchange.stateDir });
  const { lumina } = own;
  const { set } = await exchange.run(guest);
  if (set === undefined) throw new Error("nothing was changed");
  const open = await lumina.approvals.open(exchange.root);
  const face = open.cliff.attach("test");
  return {
    ...{ exchange, lumina, open, set },
    ask: (asked = set) => ask(open.cliff, draftWriteBack(asked, origin), { shortId: asked.id }),
    write: ({ card }) => executeWriteBack(open.cliff, lumina.changes, card.envelope.id),
    [Symbol.asyncDispose]: async () => {
      face[Symbol.dispose]();
      await own[Symbol.asyncDispose]();
      exchange[Symbol.dispose]();
    },
  };
}
