/** vfkit's REST service, spoken to as a stand-in behaves, and as nothing should. */
import { once } from "node:events";
import http from "node:http";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { changeState, readState } from "../../../../src/vm/backends/vfkit/vfkit-rest.ts";
import { makeTempDir } from "../../../support/make-tree.ts";

interface Service extends AsyncDisposable {
  readonly path: string;
  readonly bodies: string[];
}

async function serve(status: number, answer: string | undefined): Promise<Service> {
  const temp = makeTempDir();
  const path = join(temp.path, "rest.sock");
  const bodies: string[] = [];
  const server = http.createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      bodies.push(body);
      if (answer === undefined) return; // never
      response.writeHead(status).end(answer);
    });
  });
  server.listen(path);
  await once(server, "listening");
  return {
    path,
    bodies,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      temp[Symbol.dispose]();
    },
  };
}

const running = { state: "VirtualMachineStateRunning", canStop: true, canHardStop: true };

describe("vfkit's REST service", () => {
  it("says the machine's state, and may say more", async () => {
    await using service = await serve(200, JSON.stringify({ ...running, canPause: true }));
    expect(await readState(service.path)).toMatchObject(running);
  });

  it("is told a change in the words it knows", async () => {
    await using service = await serve(202, "");
    await changeState(service.path, "HardStop");
    expect(service.bodies).toEqual(['{"state":"HardStop"}']);
  });

  it("that refuses is heard with its reason", async () => {
    await using service = await serve(500, '{"error":"Invalid state transition."}');
    await expect(changeState(service.path, "Stop")).rejects.toMatchObject({
      code: "PROCESS_FAILED",
      message: "vfkit did not Stop: Invalid state transition.",
    });
  });

  it.each([
    ["words", "hello"],
    ["a list", "[]"],
    ["half a state", '{"state":"VirtualMachineStateRunning"}'],
  ])("that answers with %s is not believed", async (_, answer) => {
    await using service = await serve(200, answer);
    await expect(readState(service.path)).rejects.toMatchObject({ code: "PROCESS_FAILED" });
  });

  it("that answers without end is given up", async () => {
    await using service = await serve(200, "x".repeat(70_000));
    await expect(readState(service.path)).rejects.toMatchObject({ code: "PROCESS_FAILED" });
  });

  it("that never answers is given up at the deadline", async () => {
    await using service = await serve(200, undefined);
    const asked = readState(service.path, { timeoutMs: 50 });
    await expect(asked).rejects.toMatchObject({ code: "TIMEOUT" });
  });

  it("that is not there is said to be so", async () => {
    await expect(readState("/nowhere/rest.sock")).rejects.toMatchObject({ code: "PROCESS_FAILED" });
  });
});
