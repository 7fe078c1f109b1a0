/** What is said of each way to run machines is what its code does. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listCandidates } from "../../../src/vm/choice/all-candidates.ts";
import { listTestLanes, toBareHost } from "../../support/lanes.ts";
import { projectFolder } from "../../support/repository.ts";

const lanes = listTestLanes().map((lane) => {
  const { platform, architecture, backend, accelerator } = lane;
  return [`${platform} ${architecture} ${backend}/${accelerator}`, lane] as const;
});

describe("the lanes", () => {
  it("are every candidate of every platform, each once", () => {
    const names = lanes.map(([name]) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const [, { platform, architecture }] of lanes) {
      const offered = listCandidates(toBareHost({ platform, architecture }));
      expect(
        lanes.filter(
          ([, lane]) => lane.platform === platform && lane.architecture === architecture,
        ),
      ).toHaveLength(offered.length);
    }
  });

  it.each(lanes)("%s names tests that are there", (_name, { proof }) => {
    expect(proof.tests).not.toHaveLength(0);
    for (const test of proof.tests)
      expect(existsSync(join(projectFolder, "test", test))).toBe(true);
  });
});
