/** A workspace that went into a machine and came out as a guest wants it, without a machine. */
import { join } from "node:path";
import { ChangeStore } from "../../src/workspace/change-store.ts";
import { packWorkspace } from "../../src/workspace/pack.ts";
import { receiveChanges, type ReceivedChanges } from "../../src/workspace/receive.ts";
import { scanWorkspace, type ScanOptions } from "../../src/workspace/scan.ts";
import { collect, inPieces, makeTar, tarOf, type GuestEntry } from "./guest-tar.ts";
import { makeTempDir, makeTree, readTree, type Tree, type TreeNode } from "./make-tree.ts";

export interface Exchange extends Disposable {
  /** everything of this exchange; the workspace and a canary are below it */
  readonly base: string;
  readonly root: string;
  readonly stateDir: string;
  readonly store: ChangeStore;
  /** Sends the workspace, lets `between` happen on the host, takes the guest's tree. */
  readonly run: (
    guest: Tree | readonly GuestEntry[] | Buffer,
    options?: ScanOptions & { between?: () => void; pieces?: readonly number[] },
  ) => Promise<ReceivedChanges>;
  readonly tree: () => Record<string, TreeNode>;
}

export function makeExchange(host: Tree): Exchange {
  const temp = makeTempDir();
  const root = join(temp.path, "project");
  const stateDir = join(temp.path, "state");
  makeTree(root, host);
  const store = new ChangeStore(stateDir);
  return {
    ...{ base: temp.path, root, stateDir, store },
    tree: () => readTree(root),
    run: async (guest, { between, pieces, ...scanOptions } = {}) => {
      const scan = await scanWorkspace(root, scanOptions);
      const { chunks, baseline } = packWorkspace(scan);
      await collect(chunks);
      between?.();
      const tar = await toTar(guest);
      const { isIgnored } = scan;
      const options = { baseline, store, command: "test", isIgnored };
      return await receiveChanges(inPieces(tar, pieces), options);
    },
    [Symbol.dispose]: () => temp[Symbol.dispose](),
  };
}

async function toTar(guest: Tree | readonly GuestEntry[] | Buffer): Promise<Buffer> {
  if (Buffer.isBuffer(guest)) return guest;
  return Array.isArray(guest) ? await makeTar(guest as GuestEntry[]) : await tarOf(guest as Tree);
}
