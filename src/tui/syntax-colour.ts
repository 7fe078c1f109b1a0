/**
 * Colours for a line of code, by its file's name. Only colours: the characters come out as they went in,
 * and a line for which that is not so stays plain. Languages are loaded when a file of theirs is shown.
 */
import type { HLJSApi, LanguageFn } from "highlight.js";
import type { Span } from "./line.ts";
import type { Paint } from "./style.ts";

/** longest line that is coloured, in characters */
const lineMax = 2000;
/** a line that takes longer ends the colours of its file, in `ms` */
const slowMs = 50;

type Loader = () => Promise<{ readonly default: LanguageFn }>;

const languages: Readonly<Record<string, Loader>> = {
  bash: () => import("highlight.js/lib/languages/bash"),
  c: () => import("highlight.js/lib/languages/c"),
  cpp: () => import("highlight.js/lib/languages/cpp"),
  css: () => import("highlight.js/lib/languages/css"),
  go: () => import("highlight.js/lib/languages/go"),
  ini: () => import("highlight.js/lib/languages/ini"),
  java: () => import("highlight.js/lib/languages/java"),
  javascript: () => import("highlight.js/lib/languages/javascript"),
  json: () => import("highlight.js/lib/languages/json"),
  makefile: () => import("highlight.js/lib/languages/makefile"),
  python: () => import("highlight.js/lib/languages/python"),
  ruby: () => import("highlight.js/lib/languages/ruby"),
  rust: () => import("highlight.js/lib/languages/rust"),
  sql: () => import("highlight.js/lib/languages/sql"),
  typescript: () => import("highlight.js/lib/languages/typescript"),
  xml: () => import("highlight.js/lib/languages/xml"),
  yaml: () => import("highlight.js/lib/languages/yaml"),
};

const names: readonly (readonly [name: RegExp, language: string])[] = [
  [/\.(sh|bash|zsh)$/, "bash"],
  [/\.[ch]$/, "c"],
  [/\.(cc|cpp|cxx|hh|hpp)$/, "cpp"],
  [/\.(css|scss|less)$/, "css"],
  [/\.go$/, "go"],
  [/\.(ini|toml|cfg|conf|properties)$/, "ini"],
  [/\.(java|kt|scala|groovy|gradle)$/, "java"],
  [/\.([cm]?js|jsx)$/, "javascript"],
  [/\.(json|jsonc|json5|lock)$/, "json"],
  [/(^|\/)(makefile|[^/]*\.mk)$/, "makefile"],
  [/\.(py|pyi)$/, "python"],
  [/(\.rb|(^|\/)(rakefile|gemfile))$/, "ruby"],
  [/\.rs$/, "rust"],
  [/\.sql$/, "sql"],
  [/\.([cm]?ts|tsx)$/, "typescript"],
  [/\.(xml|html?|svg|vue|plist)$/, "xml"],
  [/\.ya?ml$/, "yaml"],
];

const paints: Readonly<Record<string, Paint>> = {
  keyword: "magenta",
  "selector-tag": "magenta",
  string: "yellow",
  regexp: "yellow",
  number: "cyan",
  literal: "cyan",
  type: "cyan",
  attr: "cyan",
  built_in: "cyan",
  comment: "dim",
  meta: "dim",
  title: "bold",
  section: "bold",
  name: "bold",
};

/** The text in pieces with colours. */
export type ColourLine = (text: string) => readonly Span[];

export const noColours: ColourLine = (text) => [{ text }];

/** What colours the lines of a file; nothing does where the language is not known. */
export async function loadColours(path: string): Promise<ColourLine> {
  const folded = path.toLowerCase();
  const language = names.find(([name]) => name.test(folded))?.[1];
  const load = language === undefined ? undefined : languages[language];
  if (language === undefined || load === undefined) return noColours;
  const [{ default: engine }, { default: grammar }] = await Promise.all([
    import("highlight.js/lib/core"),
    load(),
  ]);
  if (engine.getLanguage(language) === undefined) engine.registerLanguage(language, grammar);
  return createColours(engine, language);
}

function createColours(engine: HLJSApi, language: string): ColourLine {
  let isSlow = false;
  return (text) => {
    if (isSlow || text.length > lineMax) return noColours(text);
    const startedAt = performance.now();
    const { value } = engine.highlight(text, { language, ignoreIllegals: true });
    isSlow = performance.now() - startedAt > slowMs;
    const spans = readMarkup(value);
    const isSame = spans.map((span) => span.text).join("") === text;
    return isSame ? spans : noColours(text);
  };
}

const entities: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#x27;": "'",
};

/** The engine's answer is HTML of spans with one class: the innermost that has a colour counts. */
function readMarkup(html: string): readonly Span[] {
  const spans: Span[] = [];
  const open: (Paint | undefined)[] = [];
  for (const [part, scope] of html.matchAll(/<span class="([^"]*)">|<\/span>|[^<]+/g)) {
    if (scope !== undefined) {
      const [, name = ""] = /^hljs-([\w-]+)/.exec(scope) ?? [];
      open.push(Object.hasOwn(paints, name) ? paints[name] : open.at(-1));
    } else if (part === "</span>") open.pop();
    else {
      const text = part.replace(/&(amp|lt|gt|quot|#x27);/g, (entity) => entities[entity] ?? entity);
      spans.push({ text, paint: open.at(-1) });
    }
  }
  return spans;
}
