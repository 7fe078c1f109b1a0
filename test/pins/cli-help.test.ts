/** What the command line says of itself, word for word, on a terminal of 80 columns. */
import { describe, expect, it } from "vitest";
import { runProgram } from "../../src/cli/program.ts";
import { createFakeIo } from "../support/fake-io.ts";

async function help(...command: readonly string[]): Promise<string> {
  const { io, stdout, stderr } = createFakeIo();
  expect(await runProgram([...command, "--help"], io, "1.2.3")).toBe(0);
  expect(stderr()).toBe("");
  return `\n${stdout()}`;
}

describe("--help", () => {
  it("of the program", async () =>
    expect(await help()).toMatchInlineSnapshot(`
      "
      Usage: luminaguard [options] [command]

      A computer you can throw away, for each task of an agent.

      Options:
        -V, --version                 print the version
        --debug                       on an error, show where it came from
        -h, --help                    display help for command

      Commands:
        run [options] [command...]    run a command in a fresh machine on a copy of
                                      this folder
        shell [options]               open a shell in a fresh machine on a copy of
                                      this folder
        ps [options]                  list your machines, running and frozen
        freeze [options] [ids...]     stop machines where they are, at once (STOP)
        resume [options] [ids...]     let frozen machines go on
        rm [options] [ids...]         end machines for good, frozen or not
        vm [options]                  machines that outlive a command
        doctor [options]              say what was probed on this host, what was
                                      chosen and why
        image [options]               build and keep what machines boot from
        cache [options]               see and shrink what is kept on disk
        changes [options]             changes that were not applied, kept 7 days
        approvals [options]           cards: what waits for your word
        audit [options]               the record of what was asked, decided and done
        policy [options]              what is allowed, asked about and denied
        mcp [options]                 tools of MCP servers: look, call, log in
        setup [options]               what is done once on a host
        config [options]              what is set, and where
        bench [options] [name]        measure this host, each number beside its floor
        completion [options] <shell>  print a completion script for a shell
        help [command]                show what a command can do

      Examples:
        # the tests of this folder, in a machine; nothing is written back unasked
        luminaguard run -- make test
        # can machines run here, and if not, what to do
        luminaguard doctor
      "
    `));
  it("of run", async () =>
    expect(await help("run")).toMatchInlineSnapshot(`
      "
      Usage: luminaguard run [options] [command...]

      run a command in a fresh machine on a copy of this folder

      Arguments:
        command              the command and its arguments, after --

      Options:
        --image <name>       image of the machine: a name, or HOST/REPOSITORY:TAG
        --memory <MiB>       memory of the machine
        --cpus <n>           virtual processors
        --hypervisor <name>  what runs the machine, as in qemu or qemu/tcg
        --env <K[=V]>        a variable for the command; without =V this shell's value
        --timeout <s>        end the command after this many seconds (exit 124)
        --workdir <dir>      folder in the machine (/workspace)
        --include <glob>     send files that are left out by default
        --no-workspace       send nothing and take nothing out
        --nic <kind>         a network card: none, or user (no shipped policy allows
                             it)
        --rosetta            run programs for x86-64 too, on a Mac with Apple silicon
                             (vfkit)
        --tty                give the command a terminal
        --apply <when>       ask, never, or always (flagged files are never applied
                             unasked)
        --no-entrypoint      leave out what the image puts before the command
        --json               print one JSON document; the command's output is in it
        -h, --help           display help for command

      Examples:
        # run the tests, see what they changed
        luminaguard run -- make test
        # with Python
        luminaguard run --image python -- python3 fix_imports.py
        # an image's own command
        luminaguard run --image docker.io/hello-world
        # in a shell, interactively
        luminaguard run --tty -- sh
        # without this folder
        luminaguard run --no-workspace -- uname -a
      "
    `));
  it("of shell", async () =>
    expect(await help("shell")).toMatchInlineSnapshot(`
      "
      Usage: luminaguard shell [options]

      open a shell in a fresh machine on a copy of this folder

      Options:
        --image <name>       image of the machine: a name, or HOST/REPOSITORY:TAG
        --memory <MiB>       memory of the machine
        --cpus <n>           virtual processors
        --hypervisor <name>  what runs the machine, as in qemu or qemu/tcg
        --env <K[=V]>        a variable for the command; without =V this shell's value
        --timeout <s>        end the command after this many seconds (exit 124)
        --workdir <dir>      folder in the machine (/workspace)
        --include <glob>     send files that are left out by default
        --no-workspace       send nothing and take nothing out
        --nic <kind>         a network card: none, or user (no shipped policy allows
                             it)
        --rosetta            run programs for x86-64 too, on a Mac with Apple silicon
                             (vfkit)
        --tty                give the command a terminal
        --apply <when>       ask, never, or always (flagged files are never applied
                             unasked)
        -h, --help           display help for command

      Examples:
        # look around
        luminaguard shell --image python
      "
    `));
  it("of freeze", async () =>
    expect(await help("freeze")).toMatchInlineSnapshot(`
    "
    Usage: luminaguard freeze [options] [ids...]

    stop machines where they are, at once (STOP)

    Arguments:
      ids         ids of machines, such as vm-0a1b2

    Options:
      --all       every machine, and refuse new ones
      -h, --help  display help for command

    Examples:
      # stop everything
      luminaguard freeze --all
    "
  `));
  it("of doctor", async () =>
    expect(await help("doctor")).toMatchInlineSnapshot(`
      "
      Usage: luminaguard doctor [options]

      say what was probed on this host, what was chosen and why

      Options:
        --json       print one JSON document
        --platforms  every platform: what can run machines, and how far it was proven
        -h, --help   display help for command

      Examples:
        # can machines run here?
        luminaguard doctor
        # and elsewhere?
        luminaguard doctor --platforms
      "
    `));
  it("of image", async () =>
    expect(await help("image")).toMatchInlineSnapshot(`
      "
      Usage: luminaguard image [options] [command]

      build and keep what machines boot from

      Options:
        -h, --help                  display help for command

      Commands:
        build [options] <name>      build an image from Debian packages
        pull [options] <reference>  fetch an image from a registry
        import [options] <path>     take an image from files of this host
        ls [options]                list the images
        rm [options] <name>         forget an image
        help [command]              show what a command can do
      "
    `));
  it("of image build", async () =>
    expect(await help("image", "build")).toMatchInlineSnapshot(`
      "
      Usage: luminaguard image build [options] <name>

      build an image from Debian packages

      Arguments:
        name               name of the image; "base" has only a shell

      Options:
        --packages <list>  Debian packages, separated by commas
        --arch <arch>      for another processor than this host's: amd64 or arm64
        --json             print one JSON document
        -h, --help         display help for command

      Examples:
        # Python and git
        luminaguard image build python --packages python3,git
        # for a Mac
        luminaguard image build mac --arch arm64
      "
    `));
  it("of cache", async () =>
    expect(await help("cache")).toMatchInlineSnapshot(`
    "
    Usage: luminaguard cache [options] [command]

    see and shrink what is kept on disk

    Options:
      -h, --help       display help for command

    Commands:
      ls [options]     list what is kept
      prune [options]  remove what was used longest ago until the rest fits
      help [command]   show what a command can do
    "
  `));
  it("of cache prune", async () =>
    expect(await help("cache", "prune")).toMatchInlineSnapshot(`
    "
    Usage: luminaguard cache prune [options]

    remove what was used longest ago until the rest fits

    Options:
      --max <MiB>  what may stay
      --json       print one JSON document
      -h, --help   display help for command

    Examples:
      # keep 2 GiB
      luminaguard cache prune --max 2048
    "
  `));
  it("of changes", async () =>
    expect(await help("changes")).toMatchInlineSnapshot(`
    "
    Usage: luminaguard changes [options] [command]

    changes that were not applied, kept 7 days

    Options:
      -h, --help            display help for command

    Commands:
      ls [options]          list them
      show [options] <id>   show the card and the difference
      apply [options] <id>  show the card and ask, or apply without asking
      rm [options] <id>     throw them away
      help [command]        show what a command can do
    "
  `));
  it("of changes apply", async () =>
    expect(await help("changes", "apply")).toMatchInlineSnapshot(`
      "
      Usage: luminaguard changes apply [options] <id>

      show the card and ask, or apply without asking

      Arguments:
        id              id of the change set

      Options:
        --apply <when>  ask, or always (flagged files are never applied unasked)
                        (default: "ask")
        -h, --help      display help for command
      "
    `));
  it("of policy explain", async () =>
    expect(await help("policy", "explain")).toMatchInlineSnapshot(`
      "
      Usage: luminaguard policy explain [options] [question]

      say which rule decides, and what would change the answer

      Arguments:
        question               file with a question in JSON

      Options:
        --json                 print one JSON document
        --with <file>          judge by this policy file as well
        --effect <kind>        ask about an effect of this kind instead
        --fact <name=value>    a fact about the effect, such as harm=harmless
        --arg <pointer=value>  an argument, such as /repo=acme/shop
        --who <name>           who asks
        --tainted              text from outside may have steered it
        -h, --help             display help for command

      Examples:
        # may a destructive tool be called?
        luminaguard policy explain --effect mcp-call --fact harm=destructive
        # may files be written back?
        luminaguard policy explain --effect file-write-back
      "
    `));
  it("of config", async () =>
    expect(await help("config")).toMatchInlineSnapshot(`
    "
    Usage: luminaguard config [options] [command]

    what is set, and where

    Options:
      -h, --help      display help for command

    Commands:
      show [options]  each value with where it comes from
      help [command]  show what a command can do
    "
  `));
  it("of bench", async () =>
    expect(await help("bench")).toMatchInlineSnapshot(`
      "
      Usage: luminaguard bench [options] [name]

      measure this host, each number beside its floor

      Arguments:
        name                   one group of measurements

      Options:
        --samples <n>          samples of each measurement (default: 20)
        --json                 print one JSON document
        --write <file>         write the table as Markdown
        --platforms <file...>  show results of --json side by side; measure nothing
        -h, --help             display help for command
      "
    `));
  it("of completion", async () =>
    expect(await help("completion")).toMatchInlineSnapshot(`
    "
    Usage: luminaguard completion [options] <shell>

    print a completion script for a shell

    Options:
      -h, --help  display help for command

    Examples:
      # for bash
      eval "$(luminaguard completion bash)"
    "
  `));
});
