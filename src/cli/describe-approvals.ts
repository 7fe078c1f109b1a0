/** `luminaguard approvals` with its options, in the words of `--help`. */
import type { Command } from "commander";
import { collect, examples, wholeNumber } from "./command-options.ts";
import type { Done } from "./command-options.ts";
import type * as ApprovalCommands from "./commands/approvals.ts";
import type * as GrantCommands from "./commands/grants.ts";
import type { CliIo } from "./io.ts";

const oneDocument = "print one JSON document";

export function describeApprovals(program: Command, io: CliIo, done: Done): void {
  const approvals = program.command("approvals").description("cards: what waits for your word");
  const load = async (): Promise<typeof ApprovalCommands> => import("./commands/approvals.ts");
  approvals.addHelpText(
    "after",
    examples([
      ["what waits", "luminaguard approvals ls"],
      ["answer one", "luminaguard approvals approve 7K2M"],
      ["bring back what was not written", "luminaguard approvals reopen 7K2M"],
    ]),
  );
  approvals
    .command("ls")
    .description("list what waits, then what was asked lately")
    .option("--json", oneDocument)
    .action((options: Record<string, unknown>) =>
      done(load().then(({ approvalsLs }) => approvalsLs(io, options))),
    );
  approvals
    .command("show")
    .description("show the card and where it stands")
    .argument("[id]", "id of the card, such as 7K2M")
    .option("--json", oneDocument)
    .option("--diff-card <file>", "look at a diff card of the earlier LuminaGuard, read-only")
    .action((id: string | undefined, options: Record<string, unknown>) =>
      done(load().then(({ approvalsShow }) => approvalsShow(io, id, options))),
    );
  approvals
    .command("approve")
    .description("draw the card here and read your answer")
    .argument("<id>", "id of the card")
    .option("--yes", "ask nobody; only where your own configuration file lets scripts approve")
    .action((id: string, options: Record<string, unknown>) =>
      done(load().then(({ approvalsApprove }) => approvalsApprove(io, id, options))),
    );
  approvals
    .command("reject")
    .description("say no, with a reason if there is one")
    .argument("<id>", "id of the card")
    .option("--reason <text>", "told to who asked")
    .action((id: string, options: Record<string, unknown>) =>
      done(load().then(({ approvalsReject }) => approvalsReject(io, id, options))),
    );
  approvals
    .command("reopen")
    .description("ask again about files that were kept")
    .argument("<id>", "id of the card or of the change set")
    .action((id: string) => done(load().then(({ approvalsReopen }) => approvalsReopen(io, id))));
  approvals
    .command("watch")
    .description("draw each card of any run as it comes")
    .option("--json", "tell of them, a JSON document a line, and answer none")
    .action((options: Record<string, unknown>) =>
      done(import("./commands/watch.ts").then(({ approvalsWatch }) => approvalsWatch(io, options))),
    );
  describeGrants(approvals, io, done);
}

function describeGrants(approvals: Command, io: CliIo, done: Done): void {
  const grant = approvals.command("grant").description("decisions that are remembered");
  const load = async (): Promise<typeof GrantCommands> => import("./commands/grants.ts");
  grant
    .command("ls")
    .description("list those that stand, each with its rule")
    .option("--json", oneDocument)
    .action((options: Record<string, unknown>) =>
      done(load().then(({ grantLs }) => grantLs(io, options))),
    );
  grant
    .command("add")
    .description("show the rule, and add it when you press y")
    .requiredOption("--who <name>", "who may, such as run or an agent's name")
    .requiredOption("--effect <kind>", "what, such as mcp-call or file-write-back")
    .requiredOption("--tool <name>", "with which tool, such as github.merge_pull_request")
    .option("--on <what>", "on which folder, host, …; a tool call needs none")
    .option("--arg </name=value>", "an argument that must be just so", collect)
    .option("--run <id>", "in this run only")
    .option("--task <id>", "in this task only")
    .option("--uses <n>", "how often at most", wholeNumber, 20)
    .option("--hours <n>", "how long, 168 at most", wholeNumber, 24)
    .addHelpText(
      "after",
      examples([
        [
          "one tool on one repository, for a day",
          "luminaguard approvals grant add --who helper --effect mcp-call \\\n    --tool github.add_label --arg /repo=acme/shop",
        ],
      ]),
    )
    .action((options: GrantCommands.GrantAddOptions) =>
      done(load().then(({ grantAdd }) => grantAdd(io, options))),
    );
  grant
    .command("rm")
    .description("take one back")
    .argument("<id>", "id of the grant")
    .action((id: string) => done(load().then(({ grantRm }) => grantRm(io, id))));
}
