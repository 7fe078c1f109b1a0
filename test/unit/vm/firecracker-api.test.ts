/**
 * What Firecracker is told, held against its API: the table of fields of the stand-in, which is held
 * against the public description itself where FIRECRACKER_API names the file.
 */
import { readFileSync, rmSync } from "node:fs";
import http from "node:http";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { atLeast } from "../../../src/base/version.ts";
import { startChild } from "../../../src/process/child.ts";
import { FirecrackerApi } from "../../../src/vm/backends/firecracker/api-client.ts";
import {
  listBoot,
  listFreeze,
  listObserving,
  listSave,
  listThaw,
} from "../../../src/vm/backends/firecracker/calls.ts";
import { capabilitiesOf } from "../../../src/vm/backends/firecracker/versions.ts";
import { resolveVmSpec } from "../../../src/vm/spec.ts";
import { bodyOf, calls, complain, definitions } from "../../fixtures/firecracker-fields.mjs";
import { readApiDescription } from "../../support/api-description.ts";
import type { DescribedField } from "../../support/api-description.ts";
import { plantFakeFirecracker } from "../../support/fake-firecracker.ts";
import { makeTempDir } from "../../support/make-tree.ts";
import { listWrongCalls } from "../../support/wrong-calls.ts";

const image = { digest: "", kernelPath: "/k", initramfsPath: "/i", layerPath: "/l" };
const versions = ["1.10.0", "1.11.0", "1.12.1", "1.13.2", "1.14.4", "1.15.1", "1.16.1"];

describe("what Firecracker is told", () => {
  it.each(versions)("is what version %s takes: each call, each field, each type", (version) => {
    for (const vcpus of [1, 2, 32]) {
      for (const architecture of ["x64", "arm64"] as const) {
        const spec = resolveVmSpec({ image, vcpus });
        const said = [
          ...listObserving(),
          ...listBoot({ spec, architecture }),
          ...listFreeze(),
          ...Object.values(listSave()),
          ...listThaw(capabilitiesOf(version)),
        ];
        for (const { method, path, body } of said) {
          const name = bodyOf(method, path);
          expect(name, `${method} ${path}`).toBeDefined();
          expect(complain(name ?? "", body, version), `${method} ${path}`).toBeUndefined();
        }
      }
    }
  });

  it("names no file by a path of the host, and no network card", () => {
    const spec = resolveVmSpec({ image });
    const saving = [...listFreeze(), ...Object.values(listSave())];
    const said = [...listObserving(), ...listBoot({ spec, architecture: "x64" }), ...saving];
    for (const { path, body } of said) {
      for (const [field, value] of Object.entries(body)) {
        if (/path/.test(field)) expect(value, field).toMatch(/^[a-z.-]+$/);
      }
      expect(path).not.toContain("network");
    }
  });

  it("has another vsock at a load only where that is known", () => {
    const body = (version: string): unknown => listThaw(capabilitiesOf(version))[0]?.body;
    expect(body("1.15.1")).not.toHaveProperty("vsock_override");
    expect(body("1.16.0")).toMatchObject({ vsock_override: { uds_path: "v.sock" } });
  });

  it("is known by version, for each capability", () => {
    const sum = (version: string): number =>
      Object.values(capabilitiesOf(version)).filter(Boolean).length;
    expect(versions.map(sum)).toEqual([0, 0, 1, 3, 5, 5, 7]);
  });
});

const descriptionPath = process.env["FIRECRACKER_API"];

describe.skipIf(descriptionPath === undefined)("the table of fields", () => {
  const {
    version,
    definitions: described,
    calls: itsCalls,
  } = readApiDescription(readFileSync(descriptionPath ?? "/dev/null", "utf8"));

  // an object that only a younger field has is younger too
  const younger = Object.values(definitions).flatMap(({ fields }) =>
    Object.values(fields).flatMap(({ since, of }) => {
      return of !== undefined && since !== undefined && !atLeast(version, since) ? [of] : [];
    }),
  );
  const known = Object.entries(definitions).filter(([name]) => !younger.includes(name));

  /** A set of words has a name of its own, as an object has. */
  function toRule({ of, ...rule }: DescribedField): object {
    const object = of === undefined ? undefined : described[of];
    if (object === undefined) return rule;
    const isWords = Object.keys(object.fields).length === 0;
    return isWords ? { ...rule, type: "string" } : { ...rule, type: "object", of };
  }

  it.each(known)("of %s is the public description's", (name, own) => {
    const its = described[name];
    expect(its, `${name} in ${version}`).toBeDefined();
    expect([...own.required].sort()).toEqual([...(its?.required ?? [])].sort());
    for (const [field, { since, ...rule }] of Object.entries(own.fields)) {
      if (since !== undefined && !atLeast(version, since)) {
        expect(its?.fields, `${name}.${field} in ${version}`).not.toHaveProperty(field);
        continue;
      }
      const told = its?.fields[field] ?? {};
      expect({ ...rule }, `${name}.${field} (since ${since ?? "ever"})`).toEqual(toRule(told));
    }
  });

  it("of calls is the public description's", () => {
    for (const [call, name] of Object.entries(calls)) expect(itsCalls[call], call).toBe(name);
  });
});

describe("the stand-in", () => {
  it.each(["1.10.1", "1.16.1"])("refuses what Firecracker refuses, as %s", async (version) => {
    using temp = makeTempDir();
    plantFakeFirecracker(temp.path, { version });
    const socket = join(temp.path, "api.sock");
    const program = join(temp.path, "firecracker");
    const child = await startChild("env", ["--chdir", temp.path, program, "--api-sock", socket]);
    try {
      const api = new FirecrackerApi(socket);
      expect(await api.ready(10_000)).toBe(version);
      for (const { call, isTaken } of listWrongCalls(version)) {
        const outcome = await api.tell([call]).then(
          () => true,
          (error: unknown) => {
            expect(error).toMatchObject({ code: "HYPERVISOR_REFUSED" });
            return false;
          },
        );
        expect(outcome, `${call.method} ${call.path} ${JSON.stringify(call.body)}`).toBe(isTaken);
      }
    } finally {
      child.kill("SIGKILL");
      await child.exited;
    }
  });
});

describe("the API's client", () => {
  async function withServer(
    answer: http.RequestListener,
    use: (api: FirecrackerApi, path: string) => Promise<void>,
  ): Promise<void> {
    using temp = makeTempDir();
    const path = join(temp.path, "api.sock");
    const server = http.createServer(answer).listen(path);
    await once(server, "listening");
    try {
      await use(new FirecrackerApi(path), path);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }
  const pause = { method: "PATCH", path: "/vm", body: { state: "Paused" } } as const;

  it("tells what was complained of, made safe for a terminal", () =>
    withServer(
      (_, response) => {
        response
          .writeHead(400)
          .end(JSON.stringify({ fault_message: `no\u001b[2J${"x".repeat(9_000)}` }));
      },
      async (api) => {
        const error = await api.tell([pause]).catch((raised: unknown) => raised);
        expect(error).toMatchObject({ code: "HYPERVISOR_REFUSED" });
        expect(String(error)).toContain("PATCH /vm: no\\");
        expect(String(error)).not.toContain("\u001b");
        expect(String(error).length).toBeLessThan(1_000);
      },
    ));

  it("ends a call at its deadline, and at the caller's word", () =>
    withServer(
      () => undefined,
      async (api) => {
        await expect(api.tell([pause], { timeoutMs: 50 })).rejects.toMatchObject({
          code: "TIMEOUT",
        });
        const reason = new Error("enough");
        const over = new AbortController();
        const asked = api.tell([pause], { signal: over.signal });
        over.abort(reason);
        await expect(asked).rejects.toBe(reason);
      },
    ));

  it("takes no more than its bound of an answer", () =>
    withServer(
      (_, response) => {
        response.writeHead(400);
        const flood = (): void => {
          while (response.write(Buffer.alloc(64 * 1024, 0x20)));
          response.once("drain", flood);
        };
        flood();
      },
      async (api) => {
        await expect(api.tell([pause])).rejects.toMatchObject({ code: "WIRE_LIMIT" });
      },
    ));

  it("says that nobody answers where the socket is gone", () =>
    withServer(
      () => undefined,
      async (api, path) => {
        rmSync(path);
        await expect(api.tell([pause])).rejects.toMatchObject({ code: "PROCESS_FAILED" });
      },
    ));
});
