/** `--nic user`: refused unless the person's own policy says otherwise, and never out of sight. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCliHome } from "../support/cli.ts";
import type { CliHome } from "../support/cli.ts";
import { takesKeys } from "../support/takes-keys.ts";
import { openTerminal } from "../support/terminal.ts";

let home: CliHome;
beforeEach(async () => {
  home = await createCliHome();
});
afterEach(() => home[Symbol.asyncDispose]());

async function writeRule(): Promise<void> {
  const folder = join(home.configDir, "policy");
  await mkdir(folder, { recursive: true });
  const when = `when { context.approval == "human" }`;
  const rule = `permit (principal, action == Action::"network-card", resource) ${when};`;
  await writeFile(join(folder, "card.cedar"), `@id("card-by-asking")\n${rule}\n`);
}

describe("a network card", () => {
  it("is refused by the shipped policy, and no machine starts", async () => {
    const { exitCode, stderr, stdout } = await home.run(["run", "--nic", "user", "--", "true"]);
    expect(exitCode).toBe(125);
    expect(stderr).toContain("no network card: no rule allows network-card");
    expect(stderr).not.toContain("machine   ");
    expect(stdout).toHaveLength(0);
  });

  it("of a kind there is none is a mistake", async () => {
    const { exitCode, stderr } = await home.run(["run", "--nic", "bridge", "--", "true"]);
    expect(exitCode).toBe(125);
    expect(stderr).toContain("--nic bridge: there is no such network card");
  });

  it("that a person gave is seen while the machine runs, reaches the host, and reddens what comes out", async () => {
    await writeRule();
    const server = createServer((_request, response) => response.end("from the host\n"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const fetchIt = `wget -q -O b.txt http://10.0.2.2:${port}/ && echo have && read answer`;
    await using terminal = openTerminal(home, [
      "run",
      "--tty",
      "--nic",
      "user",
      "--",
      "sh",
      "-c",
      fetchIt,
    ]);
    await terminal.sees("the machine gets a network card");
    await takesKeys(terminal);
    terminal.press("a");
    await terminal.sees("type approve");
    terminal.press("approve");
    await terminal.sees("> approve");
    terminal.press("Enter");
    await terminal.sees("NETWORK CARD");
    await terminal.sees("have");
    const ps = await home.run(["ps"]);
    expect(ps.stderr).toContain("has a network card");
    const doctor = await home.run(["doctor", "--json"]);
    const { findings } = JSON.parse(doctor.stdout.toString("utf8")) as {
      findings: { name: string; verdict: string }[];
    };
    expect(findings.find(({ name }) => name === "network")).toMatchObject({ verdict: "open" });
    terminal.press("Enter");
    await terminal.sees("1 file changed");
    await terminal.sees("the machine's network card");
    await takesKeys(terminal);
    terminal.press("r");
    server.close();
  });
});
