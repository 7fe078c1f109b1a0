/** `luminaguard cache`: what is kept on disk so that the next start is quick. */
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { renderBytes } from "../../runtime/values.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";

interface JsonOption {
  readonly json?: boolean;
}

export async function cacheLs(io: CliIo, { json }: JsonOption): Promise<number> {
  await using lumina = await createLuminaGuard();
  const items = await lumina.cache.list();
  if (json === true) {
    printJson(io, items);
    return exitCodes.done;
  }
  const packages = items.filter(({ kind }) => kind === "package");
  for (const { kind, bytes, path, names } of items.filter((item) => !packages.includes(item))) {
    const of = names.length === 0 ? "" : `  (${names.join(", ")})`;
    io.stdout.write(`${kind.padEnd(9)} ${renderBytes(bytes).padStart(9)}  ${path}${of}\n`);
  }
  if (packages.length > 0) {
    const bytes = packages.reduce((sum, item) => sum + item.bytes, 0);
    const what = `${packages.length} Debian packages that images were made from`;
    io.stdout.write(`packages  ${renderBytes(bytes).padStart(9)}  ${what}\n`);
  }
  const total = items.reduce((sum, { bytes }) => sum + bytes, 0);
  say(io, `${renderBytes(total)} in ${lumina.config.cacheDir}`);
  return exitCodes.done;
}

export async function cachePrune(
  io: CliIo,
  { max, json }: JsonOption & { readonly max?: number },
): Promise<number> {
  await using lumina = await createLuminaGuard();
  const bytesMax = (max ?? lumina.config.cacheMibMax) * 1024 ** 2;
  const { removed, bytes } = await lumina.cache.prune(bytesMax);
  if (json === true) {
    printJson(io, { removed, bytes });
    return exitCodes.done;
  }
  const freed = removed.reduce((sum, item) => sum + item.bytes, 0);
  say(io, `removed ${removed.length}, freed ${renderBytes(freed)}, ${renderBytes(bytes)} left`);
  return exitCodes.done;
}
