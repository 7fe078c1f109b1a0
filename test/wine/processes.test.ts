/** Children on Windows: what they are told, and that none outlives who started it. Run under Wine. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { expect, test } from "vitest";
import { startChild } from "../../src/process/child.ts";
import { runProgram } from "../../src/process/run-program.ts";
import { makeTempDir } from "../support/make-tree.ts";

const childModule = pathToFileURL(join(import.meta.dirname, "../../dist/process/child.js")).href;

test("a program gets the words it was given, whatever is in them", async () => {
  const words = fc.sample(
    fc.string({
      unit: fc.constantFrom(...Array.from("aZ \\\"'^%&|<>!(),;=\t*?~ü語")),
      maxLength: 20,
    }),
    { numRuns: 200, seed: 1 },
  );
  const print = "process.stdout.write(JSON.stringify(process.argv.slice(1)))";
  const { stdout } = await runProgram(process.execPath, ["-e", print, "--", ...words]);
  expect(JSON.parse(stdout.toString("utf8"))).toEqual(words);
});

test("a program gets none of this process's variables but what no program there does without", async () => {
  const print = "process.stdout.write(JSON.stringify(Object.keys(process.env)))";
  const { stdout } = await runProgram(process.execPath, ["-e", print]);
  const names = JSON.parse(stdout.toString("utf8")) as string[];
  const own = names.map((name) => name.toUpperCase());
  expect(own).toContain("SYSTEMROOT");
  expect(own).not.toContain("NODE_OPTIONS");
  expect(own).not.toContain("LUMINAGUARD_SECRET");
});

/** A process that starts a child by `startChild`, and the connection that the child holds. */
async function startFamily(detached: boolean): Promise<{
  readonly kill: () => void;
  readonly child: net.Socket;
}> {
  const temp = makeTempDir();
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const hold = `require("node:net").connect(${port}, "127.0.0.1").write("here"); setInterval(() => {}, 1000)`;
  const start = detached
    ? `(await import("node:child_process")).spawn(process.execPath, ["-e", hold], { detached: true, stdio: "ignore" })`
    : `await (await import(${JSON.stringify(childModule)})).startChild(process.execPath, ["-e", hold])`;
  const script = join(temp.path, "parent.mjs");
  writeFileSync(
    script,
    `const hold = ${JSON.stringify(hold)};\n${start};\nsetInterval(() => {}, 1000);`,
  );
  const connected = once(server, "connection") as Promise<[net.Socket]>;
  const parent = await startChild(process.execPath, [script]);
  const [child] = await connected;
  child.on("error", () => undefined);
  await once(child, "data");
  server.close();
  return { child, kill: () => parent.kill("SIGKILL") };
}

test("a child ends with the process that started it, when that is killed", async () => {
  const { child, kill } = await startFamily(false);
  const gone = once(child, "close");
  kill();
  await gone;
});

test("one that was started apart does not, which the test above would show", async () => {
  const { child, kill } = await startFamily(true);
  kill();
  const answer = await Promise.race([
    once(child, "close").then(() => "gone"),
    new Promise((resolve) => setTimeout(resolve, 2_000, "there")),
  ]);
  expect(answer).toBe("there");
  child.destroy();
});

test("a folder for temporary files is on a drive", () => {
  expect(tmpdir()).toMatch(/^[A-Z]:\\/);
});
