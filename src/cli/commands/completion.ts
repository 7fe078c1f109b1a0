/** `luminaguard completion`: a script for the shell, made from the command line's own description. */
import type { Command } from "commander";
import { exitCodes } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";

interface Words {
  /** commands that lead here, such as "image build" */
  readonly path: string;
  readonly words: readonly string[];
}

export function completion(io: CliIo, program: Command, shell: string): Promise<number> {
  const tables = listWords(program, "");
  const render = shell === "fish" ? renderFish : shell === "zsh" ? renderZsh : renderBash;
  io.stdout.write(render(tables));
  return Promise.resolve(exitCodes.done);
}

function listWords(command: Command, path: string): Words[] {
  const options = command.options.filter(({ hidden }) => !hidden).map(({ long }) => long ?? "");
  const children = command.commands.map((child) => child.name());
  const own = { path, words: [...children, ...options, "--help"].filter((word) => word !== "") };
  const below = command.commands.flatMap((child) =>
    listWords(child, `${path} ${child.name()}`.trim()),
  );
  return [own, ...below];
}

function renderBash(tables: readonly Words[]): string {
  const cases = tables.map(({ path, words }) => `    "${path}") words="${words.join(" ")}" ;;`);
  return `_luminaguard() {
  local path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in --) return ;; -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join("\n")}
    *) words="" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _luminaguard luminaguard
`;
}

function renderZsh(tables: readonly Words[]): string {
  return `autoload -U +X bashcompinit && bashcompinit\n${renderBash(tables)}`;
}

function renderFish(tables: readonly Words[]): string {
  const lines = tables.flatMap(({ path, words }) => {
    const condition =
      path === ""
        ? "__fish_use_subcommand"
        : `__fish_seen_subcommand_from ${path.split(" ").at(-1) ?? ""}`;
    return words.map((word) => {
      const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      return `complete -c luminaguard -n "${condition}" ${what}`;
    });
  });
  return `${lines.join("\n")}\n`;
}
