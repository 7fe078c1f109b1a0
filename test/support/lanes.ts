/** Every platform's lanes, and a host of any platform on which nothing is found. */
import { join } from "node:path";
import { listLanes } from "../../src/vm/choice/all-candidates.ts";
import type { PlainHost } from "../../src/vm/choice/all-candidates.ts";
import type { CandidateHost } from "../../src/vm/choice/candidate.ts";
import type { Lane } from "../../src/vm/choice/lane.ts";
import { VerdictCache } from "../../src/vm/choice/verdict-cache.ts";

const folder = "/nowhere";

export function toBareHost(plain: PlainHost): CandidateHost {
  return {
    ...plain,
    ...{ cacheDir: folder, runtimeDir: folder, searchPath: folder },
    tools: { asRoot: false, namespaces: false, groupParents: [] },
    cache: new VerdictCache(join(folder, "host.json")),
  };
}

export function listTestLanes(): readonly Lane[] {
  return listLanes(toBareHost);
}
