/** What the environment says of colour: https://no-color.org, and terminals that cannot. */
export function loadIoSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): { readonly plain: boolean } {
  const noColor = environment["NO_COLOR"];
  return { plain: (noColor !== undefined && noColor !== "") || environment["TERM"] === "dumb" };
}

/** One variable of this process's environment, which a person named to be passed on. */
export function loadVariable(name: string): string | undefined {
  return process.env[name];
}
