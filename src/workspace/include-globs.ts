/**
 * The person's `--include GLOB`s: what they name is sent although a rule leaves it out. A glob without
 * a slash names a base name at any depth, one with a slash is anchored at the workspace's root.
 */
import picomatch from "picomatch";
import { LuminaGuardError } from "../errors.ts";

export interface IncludeGlobs {
  /** Whether a glob names this very path. `*` does not stand for a leading dot: `.env` must be said. */
  readonly names: (path: string) => boolean;
  /** Whether a glob could name something below this folder. */
  readonly reachInto: (folder: string) => boolean;
}

/** most globs in one run */
const globsMax = 100;
/** longest glob in characters */
const globLengthMax = 512;

export function createIncludeGlobs(globs: readonly string[]): IncludeGlobs {
  if (globs.length > globsMax) throw bad(`more than ${globsMax} --include globs`);
  const patterns = globs.map(normalise);
  const matchers = patterns.map((glob) =>
    picomatch(glob, { basename: !glob.includes("/"), dot: false, nonegate: true }),
  );
  const bases = patterns
    .filter((glob) => glob.includes("/"))
    .map((glob) => picomatch.scan(glob).base.replace(/\/?$/, "/"));
  return {
    names: (path) => matchers.some((matches) => matches(path)),
    reachInto: (folder) =>
      bases.some(
        (base) => base === "/" || `${folder}/`.startsWith(base) || base.startsWith(`${folder}/`),
      ),
  };
}

function normalise(glob: string): string {
  if (glob.length > globLengthMax)
    throw bad(`--include glob longer than ${globLengthMax} characters`);
  const plain = glob.replace(/^(\.\/|\/)+/, "").replace(/\/+$/, "");
  if (plain === "") throw bad(`--include "${glob}" names nothing`);
  return plain;
}

function bad(message: string): LuminaGuardError {
  return new LuminaGuardError("USAGE", message, {
    hint: "give a glob below the workspace: --include '.env.test'",
  });
}
