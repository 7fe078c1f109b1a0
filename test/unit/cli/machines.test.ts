/** The switch as a person works it, on machines that are processes of this test. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { runProgram } from "../../../src/cli/program.ts";
import { identifyProcess, identifySelf } from "../../../src/process/process-identity.ts";
import { createMachineFolder } from "../../../src/vm/register/machine-folder.ts";
import { createFakeIo } from "../../support/fake-io.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { startSleeper } from "../../support/sleeper.ts";

let temp: ReturnType<typeof makeTempDir>;
beforeEach(() => {
  temp = makeTempDir();
  vi.stubEnv("LUMINAGUARD_CONFIG", join(temp.path, "config.json"));
  vi.stubEnv("LUMINAGUARD_RUNTIME_DIR", temp.path);
});
afterEach(() => {
  vi.unstubAllEnvs();
  temp[Symbol.dispose]();
});

async function run(
  ...argv: readonly string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { io, stdout, stderr } = createFakeIo();
  const code = await runProgram(argv, io, "1.2.3");
  return { code, stdout: stdout(), stderr: stderr() };
}

describe("the switch", () => {
  it("freezes, shows, resumes and ends a machine", async () => {
    const sleeper = await startSleeper();
    const folder = await createMachineFolder(temp.path, false);
    await folder.recordProcess(sleeper.identity);
    const { pid } = sleeper.identity;
    const frozen = await run("freeze", "--all");
    expect(frozen.code).toBe(0);
    expect(frozen.stderr).toMatch(
      new RegExp(
        `^frozen {4}${folder.id} \\(process \\d+\\)\n1 machine frozen in 0\\.\\d\\d s\n {2}new machines are refused until: luminaguard resume --all\n$`,
      ),
    );
    expect(JSON.parse((await run("ps", "--json")).stdout)).toEqual({
      stopped: true,
      machines: [
        {
          id: folder.id,
          state: "frozen",
          ownerPid: process.pid,
          vmmPid: expect.any(Number) as unknown,
          since: expect.any(String) as unknown,
          hasNetwork: false,
          command: expect.any(String) as unknown,
        },
      ],
    });
    expect((await run("resume", folder.id)).stderr).toBe(
      `running   ${folder.id}\n  new machines are still refused; luminaguard resume --all lets them start\n`,
    );
    expect(await run("resume", "--all")).toMatchObject({
      code: 0,
      stderr: `running   ${folder.id}\nmachines may start again\n`,
    });
    const { stdout } = await run("ps");
    expect(stdout).toMatch(
      new RegExp(`^${folder.id} {2}running {3}owner ${process.pid} +vmm \\d+ +\\d{4}-.* {2}\\S`),
    );
    expect(await run("rm", folder.id)).toMatchObject({
      code: 0,
      stderr: `removed   ${folder.id}\n`,
    });
    expect(await sleeper.ended).toEqual([null, "SIGKILL"]);
    expect(pid).toBeGreaterThan(1);
  });

  it("holds also where no machine runs", async () => {
    expect(await run("freeze", "--all")).toMatchObject({ code: 0 });
    expect((await run("ps")).stderr).toBe(
      "no machine runs\n  new machines are refused until: luminaguard resume --all\n",
    );
    expect((await run("rm", "--all")).stderr).toBe("machines may start again\n");
    expect((await run("ps")).stderr).toBe("no machine runs\n");
  });

  it("says which machine could not be stopped, and how to end it", async () => {
    vi.spyOn(process, "kill").mockReturnValue(true); // every signal is lost
    const sleeper = await startSleeper("exec sleep 60");
    try {
      const folder = await createMachineFolder(temp.path, false);
      await folder.recordProcess(sleeper.identity);
      const { code, stderr } = await run("freeze", folder.id);
      expect(code).toBe(125);
      expect(stderr).toContain(
        `${folder.id} (process ${sleeper.identity.pid}) could not be stopped`,
      );
      expect(stderr).toContain(`luminaguard rm ${folder.id}, or kill -9`);
    } finally {
      vi.restoreAllMocks();
      await sleeper[Symbol.asyncDispose]();
    }
  });

  it("tells of a machine that is only starting, and of hostile text in words", async () => {
    const folder = await createMachineFolder(temp.path, false);
    const frozen = await run("freeze", "--all");
    expect(frozen.stderr).toContain(`starting  ${folder.id} is refused when it goes on`);
    const owner = spawn("sleep", ["60"], { stdio: "ignore", argv0: "\u001b[2Jx" });
    await once(owner, "spawn");
    const host = await identifyProcess(owner.pid ?? 0);
    writeFileSync(join(temp.path, "vm-00001.json"), JSON.stringify({ host, vmm: null }));
    const { stdout } = await run("ps");
    expect(stdout).toContain("\\x1b[2Jx 60");
    expect(stdout).not.toContain("\u001b");
    owner.kill("SIGKILL");
    await once(owner, "exit");
  });

  it.each(["freeze", "resume", "rm"])("%s wants machines or --all, and not both", async (word) => {
    for (const argv of [[word], [word, "vm-00001", "--all"]]) {
      const { code, stderr } = await run(...argv);
      expect(code).toBe(125);
      expect(stderr).toBe(
        `luminaguard: name machines, or say --all\n  luminaguard ps  lists them; luminaguard ${word} --all  is for every one\n`,
      );
    }
  });

  it.each(["freeze", "resume", "rm"])("%s of an unknown id names the nearest", async (word) => {
    const record = { host: identifySelf(), vmm: null };
    writeFileSync(join(temp.path, "vm-0a1b2.json"), JSON.stringify(record));
    const { code, stderr } = await run(word, "vm-0a1b3");
    expect(code).toBe(125);
    expect(stderr).toBe('luminaguard: there is no machine vm-0a1b3\n  did you mean "vm-0a1b2"?\n');
    expect((await run(word, "nonsense")).stderr).toContain("luminaguard ps  lists the machines");
  });
});
