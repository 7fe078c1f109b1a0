/**
 * Node 22 strips types but knows no `using`, and it is the newest Node that starts under Debian's Wine:
 * files that have it are compiled on the way.
 */
import { registerHooks } from "node:module";
import ts from "typescript";

const compilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  inlineSourceMap: true,
};

registerHooks({
  load(url, context, nextLoad) {
    const path = new URL(url).pathname;
    if (!path.endsWith(".ts") || path.includes("/node_modules/")) return nextLoad(url, context);
    const { source } = nextLoad(url, { ...context, format: "module-typescript" });
    const text = String(source);
    if (!/\busing \w+ = /.test(text))
      return { format: "module-typescript", source, shortCircuit: true };
    const { outputText } = ts.transpileModule(text, { compilerOptions, fileName: path });
    return { format: "module", source: outputText, shortCircuit: true };
  },
});
