/** Machines that outlive a command, in the words of `--help`. */
import type { Command } from "commander";
import { collect, examples, wholeNumber } from "./command-options.ts";
import type { Done } from "./command-options.ts";
import type * as VmCommands from "./commands/vm.ts";
import type { CliIo } from "./io.ts";

type Options = Record<string, unknown>;

export function describeVm(program: Command, io: CliIo, done: Done): void {
  const vm = program.command("vm").description("machines that outlive a command");
  const load = async (): Promise<typeof VmCommands> => import("./commands/vm.ts");
  const json = (command: Command): Command => command.option("--json", "print one JSON document");
  describeLife(vm, io, done, load, json);
  describeUse(vm, io, done, load, json);
  describeChanges(vm, io, done, load, json);
  describeSnapshots(vm, io, done, load, json);
  describeMoves(vm, io, done, load, json);
}

type Load = () => Promise<typeof VmCommands>;
type Json = (command: Command) => Command;

const machineHelp = "name or id of the machine";

function describeLife(vm: Command, io: CliIo, done: Done, load: Load, json: Json): void {
  json(vm.command("start"))
    .summary("start a machine that stays")
    .description("start a machine that stays until it is stopped")
    .option("--name <name>", "what to call it")
    .option("--image <name>", "image of the machine")
    .option("--memory <MiB>", "memory of the machine", wholeNumber)
    .option("--cpus <n>", "virtual processors", wholeNumber)
    .option("--env <K[=V]>", "a variable of every command in it", collect)
    .option("-w, --workspace <folder>", "send a copy of this folder to /workspace")
    .option("--include <glob>", "send files that are left out by default", collect)
    .addHelpText(
      "after",
      examples([
        ["one to work in", "luminaguard vm start --name work --workspace ."],
        ["a command in it", "luminaguard vm exec work -- ls"],
      ]),
    )
    .action((options: Options) => done(load().then(({ vmStart }) => vmStart(io, options))));
  json(vm.command("ls"))
    .summary("list them, and why one failed")
    .description("list them, and why one failed")
    .action((options: Options) => done(load().then(({ vmLs }) => vmLs(io, options))));
  json(vm.command("stop"))
    .summary("end machines, keep their records")
    .description("end machines; what is kept of them stays")
    .argument("<machines...>", "names or ids")
    .action((words: string[], options: Options) =>
      done(load().then(({ vmStop }) => vmStop(io, words, options))),
    );
  json(vm.command("restart"))
    .summary("start one that ended, fresh")
    .description("start a machine that ended, fresh")
    .argument("<machine>", machineHelp)
    .action((word: string, options: Options) =>
      done(load().then(({ vmRestart }) => vmRestart(io, word, options))),
    );
  json(vm.command("rm"))
    .summary("end machines and forget them")
    .description("end machines and forget them; their snapshots stay")
    .argument("<machines...>", "names or ids")
    .action((words: string[], options: Options) =>
      done(load().then(({ vmRm }) => vmRm(io, words, options))),
    );
  json(vm.command("logs"))
    .summary("what happened to one, and its console")
    .description("what happened to a machine, and its console's last words")
    .argument("<machine>", machineHelp)
    .action((word: string, options: Options) =>
      done(load().then(({ vmLogs }) => vmLogs(io, word, options))),
    );
}

function describeUse(vm: Command, io: CliIo, done: Done, load: Load, json: Json): void {
  json(vm.command("exec"))
    .summary("run a command in one")
    .description("run a command in a machine")
    .argument("<machine>", machineHelp)
    .argument("[command...]", "the command and its arguments, after --")
    .option("--env <K[=V]>", "a variable for the command", collect)
    .option("--timeout <s>", "end the command after this many seconds (exit 124)", wholeNumber)
    .option("--workdir <dir>", "folder in the machine (default: /workspace)")
    .option("--tty", "give the command a terminal")
    .addHelpText(
      "after",
      examples([
        ["the tests", "luminaguard vm exec work -- make test"],
        ["what runs in it", "luminaguard vm exec work -- ps"],
      ]),
    )
    .action((word: string, argv: string[], options: Options) =>
      done(load().then(({ vmExec }) => vmExec(io, word, argv, options))),
    );
  vm.command("shell")
    .summary("open a shell in one")
    .description("open a shell in a machine")
    .argument("<machine>", machineHelp)
    .option("--workdir <dir>", "folder in the machine (default: /workspace)")
    .addHelpText("after", examples([["look around", "luminaguard vm shell work"]]))
    .action((word: string, options: Options) =>
      done(load().then(({ vmShell }) => vmShell(io, word, options))),
    );
  vm.command("cp")
    .summary("copy files in, or a file out")
    .description("copy a file or folder into a machine, or a file out of it")
    .argument("<from>", "MACHINE:PATH, or a path here")
    .argument("<to>", "MACHINE:PATH, or a path here that is free; - is stdout")
    .addHelpText(
      "after",
      examples([
        ["into it", "luminaguard vm cp notes.txt work:/workspace/notes.txt"],
        ["out of it", "luminaguard vm cp work:/workspace/report.txt report.txt"],
      ]),
    )
    .action((from: string, to: string) => done(load().then(({ vmCp }) => vmCp(io, from, to))));
}

function describeChanges(vm: Command, io: CliIo, done: Done, load: Load, json: Json): void {
  json(vm.command("diff"))
    .summary("what one changed in its workspace")
    .description("what a machine changed in its workspace, kept as a change set")
    .argument("<machine>", machineHelp)
    .action((word: string, options: Options) =>
      done(load().then(({ vmDiff }) => vmDiff(io, word, options))),
    );
  json(vm.command("apply"))
    .summary("bring that back, over the cliff")
    .description("bring what a machine changed back into the folder, over the cliff")
    .argument("<machine>", machineHelp)
    .option("--apply <when>", "ask, or always (flagged files are never applied unasked)", "ask")
    .addHelpText(
      "after",
      examples([["see the card, and say yes or no", "luminaguard vm apply work"]]),
    )
    .action((word: string, options: Options) =>
      done(load().then(({ vmApply }) => vmApply(io, word, options))),
    );
  json(vm.command("checkpoint"))
    .summary("save one now, or before its effects")
    .description("save a machine now, or before each of its effects is asked about")
    .argument("<machine>", machineHelp)
    .option("--every <when>", "effect: before each is asked about, and back to it on a no; never")
    .addHelpText(
      "after",
      examples([["a no takes the machine back", "luminaguard vm checkpoint work --every effect"]]),
    )
    .action((word: string, options: Options) =>
      done(load().then(({ vmCheckpoint }) => vmCheckpoint(io, word, options))),
    );
}

function describeSnapshots(vm: Command, io: CliIo, done: Done, load: Load, json: Json): void {
  const snapshot = json(vm.command("snapshot"))
    .summary("save one, memory and disk")
    .description("save a running machine, memory and disk together")
    .argument("[machine]", machineHelp)
    .option("--name <name>", "what to call it; one with a name is never removed to make room")
    .option("--encrypt", "with a key in the keychain, or in a file of your own")
    .addHelpText(
      "after",
      examples([
        ["before something risky", "luminaguard vm snapshot work --name before"],
        ["back to it", "luminaguard vm restore work before"],
      ]),
    )
    .action((word: string | undefined, options: Options) =>
      done(load().then(({ vmSnapshot }) => vmSnapshot(io, word, options))),
    );
  json(snapshot.command("ls"))
    .description("list the snapshots, oldest first")
    .action((_options: Options, command: Command) =>
      done(load().then(({ vmSnapshotLs }) => vmSnapshotLs(io, command.optsWithGlobals()))),
    );
  json(snapshot.command("rm"))
    .description("take snapshots away")
    .argument("<snapshots...>", "names or ids, or the beginning of an id")
    .action((words: string[], _options: Options, command: Command) =>
      done(load().then(({ vmSnapshotRm }) => vmSnapshotRm(io, words, command.optsWithGlobals()))),
    );
  json(vm.command("fork"))
    .summary("make machines that go on where one is")
    .description("make machines that go on where another is, or where a snapshot was taken")
    .argument("<machine>", "name or id of a machine that runs, or of a snapshot")
    .option("-n, --count <n>", "how many", wholeNumber, 1)
    .option("--name <name>", "what to call it; several get a number each")
    .addHelpText(
      "after",
      examples([["try three ways", "luminaguard vm fork work -n 3 --name try"]]),
    )
    .action((word: string, options: Options) =>
      done(load().then(({ vmFork }) => vmFork(io, word, options))),
    );
  json(vm.command("restore"))
    .summary("take one back to a snapshot")
    .description("take a machine back to a snapshot; what it did since is gone")
    .argument("<machine>", machineHelp)
    .argument("[snapshot]", "name or id; without it the newest of this machine")
    .addHelpText("after", examples([["after it failed", "luminaguard vm restore work"]]))
    .action((word: string, snapshotWord: string | undefined, options: Options) =>
      done(load().then(({ vmRestore }) => vmRestore(io, word, snapshotWord, options))),
    );
  json(vm.command("tree"))
    .summary("what goes on from what")
    .description("snapshots and machines, each below what it goes on from")
    .action((options: Options) => done(load().then(({ vmTree }) => vmTree(io, options))));
}

function describeMoves(vm: Command, io: CliIo, done: Done, load: Load, json: Json): void {
  json(vm.command("migrate"))
    .summary("move one to another host or a file")
    .description("move a running machine to another host, or into a file")
    .argument("<machine>", machineHelp)
    .option("--to <host:port|file>", "where vm receive listens; or a file that is not there yet")
    .option("--pin <fingerprint>", "the key that it prints")
    .option("--code <code>", "the one-time code that it prints")
    .option("--resolve", "decide a move that was cut off at its end")
    .option("--here", "with --resolve: the machine goes on here")
    .option("--there", "with --resolve: the machine goes on there")
    .option("--token <token>", "with --resolve: what the other side printed")
    .option("--other-is-gone", "with --resolve: it can never run on the other side again")
    .addHelpText(
      "after",
      examples([
        ["a move", "luminaguard vm migrate work --to 192.0.2.7:7400 --pin KEY --code CODE"],
        ["into a file", "luminaguard vm migrate work --to work.machine"],
        ["after a cut", "luminaguard vm migrate work --resolve --there"],
      ]),
    )
    .action((word: string, options: Options) =>
      done(load().then(({ vmMigrate }) => vmMigrate(io, word, options))),
    );
  json(vm.command("receive"))
    .summary("take one that another host sends")
    .description("take machines that other hosts send, or one out of a file")
    .argument("[file]", "what luminaguard vm migrate --to FILE made")
    .option("--listen <host:port>", "where to listen; port 0 is any that is free")
    .option("--allow <fingerprint>", "take them from this key, and not by a code", collect)
    .option("--name <name>", "what to call the machine here")
    .option("--once", "end when one has arrived")
    .addHelpText(
      "after",
      examples([
        ["one machine", "luminaguard vm receive --listen 0.0.0.0:7400 --once"],
        ["out of a file", "luminaguard vm receive work.machine"],
      ]),
    )
    .action((file: string | undefined, options: Options) =>
      done(load().then(({ vmReceive }) => vmReceive(io, file, options))),
    );
}
