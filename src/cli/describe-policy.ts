/** `luminaguard policy` with its commands, in the words of `--help`. */
import type { Command } from "commander";
import { collect, examples } from "./command-options.ts";
import type { Done } from "./command-options.ts";
import type * as PolicyCommands from "./commands/policy.ts";
import type { CliIo } from "./io.ts";

export function describePolicy(program: Command, io: CliIo, done: Done): void {
  const policy = program.command("policy").description("what is allowed, asked about and denied");
  const load = async (): Promise<typeof PolicyCommands> => import("./commands/policy.ts");
  const json = (command: Command): Command => command.option("--json", "print one JSON document");
  const trial = (command: Command): Command =>
    command.option("--with <file>", "judge by this policy file as well", collect);
  json(policy.command("show"))
    .description("the rules in force here, each with its file")
    .addHelpText("after", examples([["what is asked about?", "luminaguard policy show"]]))
    .action((options: Record<string, unknown>) =>
      done(load().then(({ policyShow }) => policyShow(io, options))),
    );
  json(policy.command("check"))
    .description("read policy files and say where they are wrong (exit 1)")
    .argument("[file...]", "policy files; none: those in force here")
    .addHelpText("after", examples([["before it is in force", "luminaguard policy check a.cedar"]]))
    .action((files: readonly string[], options: Record<string, unknown>) =>
      done(load().then(({ policyCheck }) => policyCheck(io, files, options))),
    );
  trial(json(policy.command("explain")))
    .description("say which rule decides, and what would change the answer")
    .argument("[question]", "file with a question in JSON")
    .option("--effect <kind>", "ask about an effect of this kind instead")
    .option("--fact <name=value>", "a fact about the effect, such as harm=harmless", collect)
    .option("--arg <pointer=value>", "an argument, such as /repo=acme/shop", collect)
    .option("--who <name>", "who asks")
    .option("--tainted", "text from outside may have steered it")
    .addHelpText(
      "after",
      examples([
        ["may a destructive tool be called?", explainExample],
        ["may files be written back?", "luminaguard policy explain --effect file-write-back"],
      ]),
    )
    .action((file: string | undefined, options: Record<string, unknown>) =>
      done(load().then(({ policyExplain }) => policyExplain(io, file, options))),
    );
  trial(json(policy.command("test")))
    .description("judge a file of cases, each with its expected answer (exit 1)")
    .argument("<cases>", "file with cases in JSON")
    .addHelpText("after", examples([["after each change", "luminaguard policy test cases.json"]]))
    .action((file: string, options: Record<string, unknown>) =>
      done(load().then(({ policyTest }) => policyTest(io, file, options))),
    );
}

const explainExample = "luminaguard policy explain --effect mcp-call --fact harm=destructive";
