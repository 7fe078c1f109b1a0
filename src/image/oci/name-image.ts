/** What an image from outside is called on this host. */
import { basename, resolve } from "node:path";
import { LuminaGuardError } from "../../errors.ts";
import { checkImageName } from "../image-names.ts";
import { parseReference, renderReference } from "./reference.ts";
import type { ImageReference } from "./reference.ts";
import type { ImportRequest, PullRequest } from "./request.ts";

/** The reference, and the name it is kept under. USAGE where either is none. */
export function namePulled({ reference, name }: PullRequest): {
  reference: ImageReference;
  name: string;
} {
  const parsed = parseReference(reference);
  if (name !== undefined) checkOwnName(name);
  return { reference: parsed, name: name ?? renderReference(parsed) };
}

/** The name that was asked for, else the last part of the path. USAGE where that is none. */
export function nameImported({ path, name }: ImportRequest): string {
  const plain = basename(resolve(path)).replace(/(?:\.(?:tar|tgz|gz|zst))+$/, "");
  const chosen = name ?? plain.toLowerCase().replaceAll(/[^a-z0-9._-]/g, "-");
  checkOwnName(chosen);
  return chosen;
}

/** "base" is what every other image is made on. */
function checkOwnName(name: string): void {
  checkImageName(name);
  if (name !== "base") return;
  throw new LuminaGuardError("USAGE", "the name base is of the image that all others stand on", {
    hint: "give the image another name: --name NAME",
  });
}
