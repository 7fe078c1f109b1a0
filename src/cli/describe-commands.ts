/** Every command with its options, in the words of `--help`. */
import { Option } from "commander";
import type { Command } from "commander";
import type * as AuditCommands from "./commands/audit.ts";
import type * as ChangesCommands from "./commands/changes.ts";
import type * as MachineCommands from "./commands/machines.ts";
import { collect, commaList, examples, wholeNumber } from "./command-options.ts";
import type { Done } from "./command-options.ts";
import { describeApprovals } from "./describe-approvals.ts";
import { describeMcp } from "./describe-mcp.ts";
import { describePolicy } from "./describe-policy.ts";
import { describeVm } from "./describe-vm.ts";
import type { CliIo } from "./io.ts";

type SetExitCode = (code: number) => void;

export function describeCommands(program: Command, io: CliIo, setExitCode: SetExitCode): void {
  const done = async (code: Promise<number>): Promise<void> => setExitCode(await code);
  describeRun(program, io, done);
  describeMachines(program, io, done);
  describeVm(program, io, done);
  describeDoctor(program, io, done);
  describeImages(program, io, done);
  describeCache(program, io, done);
  describeChanges(program, io, done);
  describeApprovals(program, io, done);
  describeAudit(program, io, done);
  describePolicy(program, io, done);
  describeMcp(program, io, done);
  describeRest(program, io, done);
  for (const command of allCommands(program)) quiet(command, io);
}

function describeRun(program: Command, io: CliIo, done: Done): void {
  machineOptions(program.command("run"))
    .description("run a command in a fresh machine on a copy of this folder")
    .argument("[command...]", "the command and its arguments, after --")
    .option("--apply <when>", "ask, never, or always (flagged files are never applied unasked)")
    .option("--no-entrypoint", "leave out what the image puts before the command")
    .option("--json", "print one JSON document; the command's output is in it")
    .passThroughOptions()
    .addHelpText(
      "after",
      examples([
        ["run the tests, see what they changed", "luminaguard run -- make test"],
        ["with Python", "luminaguard run --image python -- python3 fix_imports.py"],
        ["an image's own command", "luminaguard run --image docker.io/hello-world"],
        ["in a shell, interactively", "luminaguard run --tty -- sh"],
        ["without this folder", "luminaguard run --no-workspace -- uname -a"],
      ]),
    )
    .action((argv: string[], options: Record<string, unknown>) =>
      done(import("./commands/run.ts").then(({ run }) => run(io, argv, options))),
    );
  machineOptions(program.command("shell"))
    .description("open a shell in a fresh machine on a copy of this folder")
    .option("--apply <when>", "ask, never, or always (flagged files are never applied unasked)")
    .addHelpText("after", examples([["look around", "luminaguard shell --image python"]]))
    .action((options: Record<string, unknown>) =>
      done(
        import("./commands/run.ts").then(({ run }) =>
          run(io, ["sh", "-l"], { ...options, tty: true, entrypoint: false }),
        ),
      ),
    );
}

function machineOptions(command: Command): Command {
  return command
    .option("--image <name>", "image of the machine: a name, or HOST/REPOSITORY:TAG")
    .option("--memory <MiB>", "memory of the machine", wholeNumber)
    .option("--cpus <n>", "virtual processors", wholeNumber)
    .option("--hypervisor <name>", "what runs the machine, as in qemu or qemu/tcg")
    .option("--env <K[=V]>", "a variable for the command; without =V this shell's value", collect)
    .option("--timeout <s>", "end the command after this many seconds (exit 124)", wholeNumber)
    .option("--workdir <dir>", "folder in the machine (/workspace)")
    .option("--include <glob>", "send files that are left out by default", collect)
    .option("--no-workspace", "send nothing and take nothing out")
    .option("--nic <kind>", "a network card: none, or user (no shipped policy allows it)")
    .option("--rosetta", "run programs for x86-64 too, on a Mac with Apple silicon (vfkit)")
    .option("--tty", "give the command a terminal");
}

function describeMachines(program: Command, io: CliIo, done: Done): void {
  const load = async (): Promise<typeof MachineCommands> => import("./commands/machines.ts");
  program
    .command("ps")
    .description("list your machines, running and frozen")
    .option("--json", "print one JSON document")
    .action((options: Record<string, unknown>) => done(load().then(({ ps }) => ps(io, options))));
  const words = [
    {
      name: "freeze",
      what: "stop machines where they are, at once (STOP)",
      all: "every machine, and refuse new ones",
      rows: [["stop everything", "luminaguard freeze --all"]],
    },
    {
      name: "resume",
      what: "let frozen machines go on",
      all: "every machine, and let new ones start",
      rows: [["take a STOP back", "luminaguard resume --all"]],
    },
    {
      name: "rm",
      what: "end machines for good, frozen or not",
      all: "every machine, and let new ones start",
      rows: [["end one", "luminaguard rm vm-0a1b2"]],
    },
  ] as const;
  for (const { name, what, all, rows } of words) {
    program
      .command(name)
      .description(what)
      .argument("[ids...]", "ids of machines, such as vm-0a1b2")
      .option("--all", all)
      .addHelpText("after", examples(rows))
      .action((ids: string[], options: Record<string, unknown>) =>
        done(load().then((commands) => commands[name](io, ids, options))),
      );
  }
}

function describeDoctor(program: Command, io: CliIo, done: Done): void {
  program
    .command("doctor")
    .description("say what was probed on this host, what was chosen and why")
    .option("--json", "print one JSON document")
    .option("--platforms", "every platform: what can run machines, and how far it was proven")
    .addHelpText(
      "after",
      examples([
        ["can machines run here?", "luminaguard doctor"],
        ["and elsewhere?", "luminaguard doctor --platforms"],
      ]),
    )
    .action((options: Record<string, unknown>) =>
      done(import("./commands/doctor.ts").then(({ doctor }) => doctor(io, options))),
    );
}

function describeImages(program: Command, io: CliIo, done: Done): void {
  const image = program.command("image").description("build and keep what machines boot from");
  image
    .command("build")
    .description("build an image from Debian packages")
    .argument("<name>", 'name of the image; "base" has only a shell')
    .option("--packages <list>", "Debian packages, separated by commas", commaList)
    .option("--arch <arch>", "for another processor than this host's: amd64 or arm64")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      examples([
        ["Python and git", "luminaguard image build python --packages python3,git"],
        ["for a Mac", "luminaguard image build mac --arch arm64"],
      ]),
    )
    .action((name: string, options: Record<string, unknown>) =>
      done(import("./commands/image.ts").then(({ imageBuild }) => imageBuild(io, name, options))),
    );
  image
    .command("pull")
    .description("fetch an image from a registry")
    .argument("<reference>", "HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]")
    .option("--name <name>", "name it on this host; otherwise the reference is its name")
    .option("--docker-config <file>", "use the logins of this Docker configuration")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      examples([
        ["from Docker Hub", "luminaguard image pull docker.io/debian:12 --name debian"],
        ["from a registry here", "luminaguard image pull localhost:5000/tools:1"],
      ]),
    )
    .action((reference: string, options: Record<string, unknown>) =>
      done(
        import("./commands/image.ts").then(({ imagePull }) => imagePull(io, reference, options)),
      ),
    );
  image
    .command("import")
    .description("take an image from files of this host")
    .argument("<path>", "OCI layout, docker-archive, tar of a root, or folder")
    .option("--name <name>", "name of the image; otherwise the last part of the path")
    .option("--tag <tag>", "which image, where there are several")
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      examples([["what docker save wrote", "luminaguard image import tools.tar --name tools"]]),
    )
    .action((path: string, options: Record<string, unknown>) =>
      done(import("./commands/image.ts").then(({ imageImport }) => imageImport(io, path, options))),
    );
  image
    .command("ls")
    .description("list the images")
    .option("--json", "print one JSON document")
    .action((options: Record<string, unknown>) =>
      done(import("./commands/image.ts").then(({ imageLs }) => imageLs(io, options))),
    );
  image
    .command("rm")
    .description("forget an image")
    .argument("<name>", "name of the image")
    .action((name: string) =>
      done(import("./commands/image.ts").then(({ imageRm }) => imageRm(io, name))),
    );
}

function describeCache(program: Command, io: CliIo, done: Done): void {
  const cache = program.command("cache").description("see and shrink what is kept on disk");
  cache
    .command("ls")
    .description("list what is kept")
    .option("--json", "print one JSON document")
    .action((options: Record<string, unknown>) =>
      done(import("./commands/cache.ts").then(({ cacheLs }) => cacheLs(io, options))),
    );
  cache
    .command("prune")
    .description("remove what was used longest ago until the rest fits")
    .option("--max <MiB>", "what may stay", wholeNumber)
    .option("--json", "print one JSON document")
    .addHelpText("after", examples([["keep 2 GiB", "luminaguard cache prune --max 2048"]]))
    .action((options: Record<string, unknown>) =>
      done(import("./commands/cache.ts").then(({ cachePrune }) => cachePrune(io, options))),
    );
}

function describeChanges(program: Command, io: CliIo, done: Done): void {
  const changes = program
    .command("changes")
    .description("changes that were not applied, kept 7 days");
  const load = async (): Promise<typeof ChangesCommands> => import("./commands/changes.ts");
  const json = (command: Command): Command => command.option("--json", "print one JSON document");
  json(changes.command("ls"))
    .description("list them")
    .action((options: Record<string, unknown>) =>
      done(load().then(({ changesLs }) => changesLs(io, options))),
    );
  json(changes.command("show"))
    .description("show the card and the difference")
    .argument("<id>", "id of the change set, such as 7K2M")
    .action((id: string, options: Record<string, unknown>) =>
      done(load().then(({ changesShow }) => changesShow(io, id, options))),
    );
  changes
    .command("apply")
    .description("show the card and ask, or apply without asking")
    .argument("<id>", "id of the change set")
    .option("--apply <when>", "ask, or always (flagged files are never applied unasked)", "ask")
    .action((id: string, options: Record<string, unknown>) =>
      done(load().then(({ changesApply }) => changesApply(io, id, options))),
    );
  changes
    .command("rm")
    .description("throw them away")
    .argument("<id>", "id of the change set")
    .action((id: string) => done(load().then(({ changesRm }) => changesRm(io, id))));
}

function describeAudit(program: Command, io: CliIo, done: Done): void {
  const audit = program
    .command("audit")
    .description("the record of what was asked, decided and done");
  const load = async (): Promise<typeof AuditCommands> => import("./commands/audit.ts");
  audit
    .command("show")
    .description("show the newest records")
    .option("--kind <kind>", "only records of this kind, such as decision")
    .option("--subject <id>", "only records about this approval, grant or machine")
    .option("--since <time>", "only records after a time, or of the last 30m, 2h, 7d")
    .option("--limit <n>", "the newest so many", wholeNumber, 100)
    .option("--json", "print one JSON document")
    .addHelpText(
      "after",
      examples([["what was decided today", "luminaguard audit show --kind decision --since 1d"]]),
    )
    .action((options: Record<string, unknown>) =>
      done(load().then(({ auditShow }) => auditShow(io, options))),
    );
  audit
    .command("verify")
    .description("check that every record is as it was written (exit 1 when not)")
    .option("--head <hash>", "a head that was written down; it has to be there")
    .option("--file <file>", "verify an export in place of this computer's audit")
    .option("--json", "print one JSON document")
    .addHelpText("after", examples([["is the record intact?", "luminaguard audit verify"]]))
    .action((options: Record<string, unknown>) =>
      done(load().then(({ auditVerify }) => auditVerify(io, options))),
    );
  audit
    .command("export")
    .description("print all records, with signatures and public key, as lines of JSON")
    .addHelpText(
      "after",
      examples([
        ["for somebody else to keep", "luminaguard audit export > audit.jsonl"],
        ["what they do with it", "luminaguard audit verify --file audit.jsonl"],
      ]),
    )
    .action(() => done(load().then(({ auditExport }) => auditExport(io))));
}

function describeRest(program: Command, io: CliIo, done: Done): void {
  program
    .command("setup")
    .description("what is done once on a host")
    .command("jailer")
    .description("put Firecracker and its jailer where only root can change them")
    .option("--yes", "do it without asking")
    .addHelpText("after", examples([["what would be done", "luminaguard setup jailer"]]))
    .action((options: Record<string, unknown>) =>
      done(import("./commands/setup.ts").then(({ setupJailer }) => setupJailer(io, options))),
    );
  const config = program.command("config").description("what is set, and where");
  config
    .command("show")
    .description("each value with where it comes from")
    .option("--json", "print one JSON document")
    .action((options: Record<string, unknown>) =>
      done(import("./commands/config.ts").then(({ configShow }) => configShow(io, options))),
    );
  program
    .command("bench")
    .description("measure this host, each number beside its floor")
    .argument("[name]", "one group of measurements")
    .option("--samples <n>", "samples of each measurement", wholeNumber, 20)
    .option("--json", "print one JSON document")
    .option("--write <file>", "write the table as Markdown")
    .option("--platforms <file...>", "show results of --json side by side; measure nothing")
    .action((name: string | undefined, options: Record<string, unknown>) =>
      done(import("./commands/bench.ts").then(({ bench }) => bench(io, name, options))),
    );
  program
    .command("completion")
    .description("print a completion script for a shell")
    .addArgument(program.createArgument("<shell>").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", examples([["for bash", 'eval "$(luminaguard completion bash)"']]))
    .action((shell: string) =>
      done(
        import("./commands/completion.ts").then(({ completion }) => completion(io, program, shell)),
      ),
    );
}

/** Commander's own words go through `runProgram`, whatever the depth of the command. */
function quiet(command: Command, io: CliIo): void {
  command.exitOverride().showSuggestionAfterError();
  command.configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: () => undefined,
    getOutHelpWidth: () => Math.min(io.columns, 100),
  });
  command.addOption(new Option("--debug").hideHelp());
}

function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...allCommands(child)]);
}
