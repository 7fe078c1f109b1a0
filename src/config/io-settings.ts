/** What the environment says of the terminal and of the person in front of it. */

export interface IoEnvironment {
  /** no colours and no drawing: https://no-color.org, and terminals that cannot */
  readonly plain: boolean;
  /** the person's own pager, and the variables it gets; undefined where none is set */
  readonly pager: OwnProgram | undefined;
  /** the person's own editor */
  readonly editor: OwnProgram;
}

interface OwnProgram {
  readonly command: string;
  readonly environment: Readonly<Record<string, string>>;
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

/** what an editor needs besides, in a terminal or in a window of its own */
const editorVariables = [
  ...[
    "PATH",
    "HOME",
    "TERM",
    "COLORTERM",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "SHELL",
    "USER",
    "LOGNAME",
  ],
  ...["TMPDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"],
  ...["XDG_RUNTIME_DIR", "DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"],
  ...["VIMINIT", "EXINIT", "NVIM_APPNAME"],
];

export function loadIoSettings(environment: Environment = process.env): IoEnvironment {
  const noColor = environment["NO_COLOR"];
  const plain = (noColor !== undefined && noColor !== "") || environment["TERM"] === "dumb";
  return { plain, pager: loadPager(environment), editor: loadEditor(environment) };
}

function loadPager(environment: Environment): OwnProgram | undefined {
  const command = environment["PAGER"]?.trim() ?? "";
  if (command === "") return undefined;
  // colours pass, and a key in `less` starts no program
  const secure = { LESS: "R", LESSSECURE: "1" };
  return { command, environment: { ...secure, ...pick(environment, pagerVariables) } };
}

function loadEditor(environment: Environment): OwnProgram {
  // an empty variable is one that is not set
  const named = environment["VISUAL"]?.trim() || environment["EDITOR"]?.trim();
  return { command: named || "vi", environment: pick(environment, editorVariables) };
}

function pick(environment: Environment, names: readonly string[]): Record<string, string> {
  const found = names.map((name) => [name, environment[name]] as const);
  return Object.fromEntries(
    found.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** One variable of this process's environment, which a person named to be passed on. */
export function loadVariable(name: string): string | undefined {
  return process.env[name];
}
