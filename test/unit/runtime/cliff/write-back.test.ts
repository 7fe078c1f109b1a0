import { describe, expect, it } from "vitest";
import { draftWriteBack } from "../../../../src/runtime/cliff/write-back.ts";
import { makeChange, makeChangeSet } from "../../../support/change-set.ts";

const origin = { run: "run", machine: null, exitCode: 0, timedOut: false };

describe("the envelope of a write-back", () => {
  it("takes away the folders that its own changes empty, and no other", () => {
    const gone = { kind: "deleted", after: null } as const;
    const changes = [makeChange("d/e/x", gone), makeChange("f/y"), makeChange("gone.txt", gone)];
    const removedFolders = ["d", "d/e", "d/e/x", "de", "f", "g"];
    const { args } = draftWriteBack(makeChangeSet(changes, { removedFolders }), origin);
    expect(args["removedFolders"]).toEqual(["d", "d/e"]);
  });
});
