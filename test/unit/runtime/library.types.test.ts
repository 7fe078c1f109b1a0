/** The first program a person writes compiles against the public face, word for word. */
import type { Duplex } from "node:stream";
import { expect, expectTypeOf, it } from "vitest";
import { createLuminaGuard } from "../../../src/index.ts";
import type {
  ApplyChoice,
  ChangeSet,
  ExecResult,
  LuminaGuard,
  Machine,
  OutputChunk,
  Pool,
} from "../../../src/index.ts";

/** Compiled and never called: it would boot a machine. */
async function tenLines(): Promise<number> {
  await using lumina = await createLuminaGuard();
  await using vm = await lumina.spawn({ image: "base", memoryMib: 128 });

  await vm.files.write("/workspace/hello.sh", "echo hello from $(uname -n)");
  const { stdout, exitCode } = await vm.exec(["sh", "/workspace/hello.sh"]);
  process.stdout.write(stdout);

  for await (const chunk of vm.exec(["ping", "-c", "3", "localhost"]).output)
    process.stdout.write(chunk.data);
  return exitCode;
}

it("ten lines are enough for a machine, a file, a command and its output", () => {
  expectTypeOf(tenLines).returns.toEqualTypeOf<Promise<number>>();
  expect(tenLines).toBeTypeOf("function");
});

it("what the library gives has the types it says", () => {
  expectTypeOf(createLuminaGuard).returns.resolves.toEqualTypeOf<LuminaGuard>();
  expectTypeOf<LuminaGuard["spawn"]>().returns.resolves.toEqualTypeOf<Machine>();
  expectTypeOf<LuminaGuard["pool"]>().returns.toEqualTypeOf<Pool<Machine>>();
  expectTypeOf<Awaited<ReturnType<Machine["exec"]>>>().toEqualTypeOf<ExecResult>();
  expectTypeOf<Machine["connect"]>().returns.resolves.toEqualTypeOf<Duplex>();
  expectTypeOf<OutputChunk["source"]>().toEqualTypeOf<"stdout" | "stderr">();
  expectTypeOf<ChangeSet["changes"]>().toExtend<readonly unknown[]>();
  expectTypeOf<ApplyChoice["kind"]>().toExtend<string>();
  // @ts-expect-error -- a command is an array: no shell parses it
  expectTypeOf<Parameters<Machine["exec"]>[0]>().toEqualTypeOf<string>();
});
