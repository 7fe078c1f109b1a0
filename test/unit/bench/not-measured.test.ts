import { describe, expect, it } from "vitest";
import { LuminaGuardError } from "../../../src/errors.ts";
import { renderFailure } from "../../../src/bench/not-measured.ts";

describe("the reason why something was not measured", () => {
  it.each([
    ["/opt/tools/node/bin/node ended with exit code 1", "node ended with exit code 1"],
    ["cannot read '/home/ada/my-project/bench/floor-agent.c'", "cannot read 'bench/floor-agent.c'"],
    ["/home/ada/.cache/x/ram: no space, see (/tmp/a/b)", "ram: no space, see (b)"],
    [
      "ENOENT: no such file or directory, open '/etc/hosts'",
      "ENOENT: no such file or directory, open 'hosts'",
    ],
    ["12 MB/s, not 3/4, by lg://image/base", "12 MB/s, not 3/4, by lg://image/base"],
  ])("of %s names no folder of this machine", (message, shown) => {
    const error = new LuminaGuardError("PROCESS_FAILED", message);
    expect(renderFailure(error, "/home/ada/my-project/")).toBe(shown);
  });
});
