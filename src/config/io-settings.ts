/** What the environment says of the terminal and of the person in front of it. */

export interface IoEnvironment {
  /** no colours and no drawing: https://no-color.org, and terminals that cannot */
  readonly plain: boolean;
  /** the person's own pager, and the variables it gets; undefined where none is set */
  readonly pager:
    | { readonly command: string; readonly environment: Readonly<Record<string, string>> }
    | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** what a pager needs to find itself, its terminal and its settings */
const pagerVariables = [
  "PATH",
  "HOME",
  "TERM",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "LESS",
  "LESSCHARSET",
];

export function loadIoSettings(environment: Environment = process.env): IoEnvironment {
  const noColor = environment["NO_COLOR"];
  const plain = (noColor !== undefined && noColor !== "") || environment["TERM"] === "dumb";
  const command = environment["PAGER"]?.trim() ?? "";
  if (command === "") return { plain, pager: undefined };
  // colours pass, and a key in `less` starts no program
  const given: Record<string, string> = { LESS: "R", LESSSECURE: "1" };
  for (const name of pagerVariables) {
    const value = environment[name];
    if (value !== undefined) given[name] = value;
  }
  return { plain, pager: { command, environment: given } };
}

/** One variable of this process's environment, which a person named to be passed on. */
export function loadVariable(name: string): string | undefined {
  return process.env[name];
}
