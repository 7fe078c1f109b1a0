/**
 * Which changes deserve a look before they are applied, and why, in a few words for the card. A flagged
 * file is never applied unless a person names it. Rules are data; paths are compared without case.
 */
import type { ChangeState } from "./change-set.ts";
import { isCredentialName } from "./credentials.ts";
import { isGitName, isWindowsHostile } from "./guest-path.ts";

export interface FlagSubject {
  readonly path: string;
  readonly before: ChangeState | null;
  readonly after: ChangeState | null;
}

interface PathRule {
  readonly reason: string;
  /** tested against the path in lower case */
  readonly path: RegExp;
}

const pathRules: readonly PathRule[] = [
  { reason: "changes LuminaGuard's rules here", path: /(^|\/)\.luminaguard(\/|$)/ },
  {
    reason: "runs in your CI",
    path: /(^|\/)(\.(github|gitea|forgejo)\/(workflows|actions)\/|\.(circleci|buildkite|woodpecker|teamcity|semaphore|tekton|drone)\/|\.?(gitlab-ci|travis|drone|woodpecker|appveyor|cirrus|azure-pipelines|bitbucket-pipelines|buildspec|cloudbuild|codemagic|wercker|screwdriver|codeship-steps|codeship-services)([.-][^/]*)?\.ya?ml$|jenkinsfile[^/]*$|\.gitlab\/ci\/|ci\/[^/]*\.(ya?ml|sh)$|action\.ya?ml$)/,
  },
  {
    reason: "hook",
    path: /(^|\/)(\.husky|\.githooks|githooks|git-hooks|\.git-hooks|hooks)\/|(^|\/)(\.?lefthook([.-][^/]*)?\.(ya?ml|toml|json)|\.pre-commit-(config|hooks)\.ya?ml|\.?simple-git-hooks\.[cm]?js(on)?|\.lintstagedrc[^/]*|\.huskyrc[^/]*|\.overcommit\.yml|\.captainhook\.json|captainhook\.json)$/,
  },
  {
    reason: "runs when you build or test",
    path: /(^|\/)(gnumakefile|makefile[^/]*|[^/]*\.mk|justfile|rakefile|gemfile|guardfile|vagrantfile|(docker|container)file[^/]*|[^/]*\.dockerfile|(docker-)?compose[^/]*\.ya?ml|taskfile[^/]*\.ya?ml|setup\.(py|cfg)|conftest\.py|noxfile\.py|tox\.ini|tasks\.py|fabfile\.py|sitecustomize\.py|usercustomize\.py|[^/]*\.pth|manage\.py|build\.rs|binding\.gyp|cmakelists\.txt|configure(\.ac)?|meson\.build|build\.(gradle|sbt|xml|zig)(\.kts)?|settings\.gradle(\.kts)?|pom\.xml|gradlew(\.bat)?|mvnw(\.cmd)?|build(\.bazel)?|workspace(\.bazel)?|module\.bazel|[^/]*\.bzl|[^/]*\.(cs|vb|fs)proj|directory\.build\.(props|targets)|(gulp|grunt)file\.[^/]*|[^/]*\.config\.[cm]?[jt]s|\.?[a-z-]*rc\.[cm]?js|procfile|mix\.exs|package\.swift|[^/]*\.podspec|podfile|devcontainer\.json|flake\.nix|shell\.nix|default\.nix|dune-project)$/,
  },
  {
    reason: "lock file",
    path: /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|cargo\.lock|poetry\.lock|uv\.lock|pdm\.lock|pipfile\.lock|gemfile\.lock|composer\.lock|go\.sum|mix\.lock|flake\.lock|deno\.lock|packages\.lock\.json|gradle\.lockfile|podfile\.lock|package\.resolved)$/,
  },
  {
    reason: "changes what is installed",
    path: /(^|\/)(requirements[^/]*\.(txt|in)|constraints[^/]*\.txt|pipfile|environment\.ya?ml|go\.mod|go\.work|cargo\.toml|composer\.json|pnpm-workspace\.yaml|\.yarnrc\.yml|\.npmrc|\.pnpmfile\.c?js|pip\.conf|brewfile|dependabot\.ya?ml|renovate\.json5?)$/,
  },
  {
    reason: "your editor may run it",
    path: /(^|\/)(\.vscode|\.idea|\.fleet|\.zed|\.cursor|\.vs|\.devcontainer|\.theia)\/|(^|\/)(\.vimrc|\.exrc|\.nvimrc|\.nvim\.lua|\.dir-locals\.el|[^/]*\.code-workspace|[^/]*\.sublime-project)$/,
  },
  {
    reason: "instructs your coding assistant",
    path: /(^|\/)(claude(\.local)?\.md|agents\.md|gemini\.md|\.cursorrules|\.windsurfrules|\.clinerules|copilot-instructions\.md|\.?mcp\.json|skill\.md)$|(^|\/)\.(claude|codex|gemini|continue|aider|roo|cline)[/.]/,
  },
  {
    reason: "your shell runs it",
    path: /(^|\/)(\.envrc|\.direnv\/.*|\.mise\.toml|mise\.toml|\.tool-versions|\.?(bash|zsh)(rc|_profile|env|_logout)|\.profile|\.zprofile|\.inputrc|[^/]*\.desktop|autorun\.inf|[^/]*\.(bat|cmd|ps1|vbs|lnk|scf|url|command|app|exe|dll|so|dylib|msi))$/,
  },
  { reason: "changes how git behaves", path: /(^|\/)\.(git[^/]+|mailmap)$/ },
];

/** The reasons that need no content; empty for an ordinary file. `isLink` is asked about the guest's tree. */
export function flagPath(
  subject: FlagSubject,
  isLink: (path: string) => boolean,
): readonly string[] {
  const { path, after } = subject;
  const folded = path.toLowerCase();
  const reasons = pathRules.filter((rule) => rule.path.test(folded)).map((rule) => rule.reason);
  if (after?.kind === "file" && after.executable) reasons.push("executable");
  if (after?.kind === "link") reasons.push(...flagLink(path, after.target, isLink));
  if (isCredentialName(path, false)) reasons.push("named like a credential");
  if (isWindowsHostile(path)) reasons.push("not a name on Windows");
  if (/[\p{Cf}\p{Co}]|[^\P{Z} ]/u.test(path)) reasons.push("invisible characters in the name");
  if (reasons.length === 0 && folded.split("/").some((name) => name.startsWith("."))) {
    reasons.push("dotfile");
  }
  return reasons;
}

/** A link is judged by its text and the guest's tree: where it leads on the host is not asked. */
function flagLink(
  path: string,
  target: string,
  isLink: (path: string) => boolean,
): readonly string[] {
  if (/^([/\\]|[A-Za-z]:)/.test(target)) return ["link out of the tree"];
  const way = path.split("/").slice(0, -1);
  for (const step of target.split(/[/\\]/)) {
    if (step === "" || step === ".") continue;
    if (step !== "..") way.push(step);
    else if (way.pop() === undefined) return ["link out of the tree"];
    if (isGitName(step)) return ["link into .git"];
    if (isLink(way.join("/"))) return ["link to a link"];
  }
  return [];
}

/** Fields of package.json that run or install something. */
const scriptFields = [
  "scripts",
  "bin",
  "husky",
  "lint-staged",
  "simple-git-hooks",
  "gypfile",
  "main",
];
const installFields = [
  ...["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"],
  ...["overrides", "resolutions", "workspaces", "packageManager", "bundleDependencies", "pnpm"],
];
/** Tables of pyproject.toml that run something when it is built or tested. */
const projectTables =
  /^\s*\[(build-system|tool\.(setuptools|hatch|poetry|pdm|tox|nox|poe|taskipy|pytest)|project\.(scripts|entry-points))/m;

/** Whether `flagContent` has something to say about files of that name. */
export function needsContent(path: string): boolean {
  return /(^|\/)(package\.json|pyproject\.toml)$/i.test(path);
}

/** The reasons that only the content tells; undefined stands for "not there". */
export function flagContent(
  path: string,
  before: string | undefined,
  after: string | undefined,
): readonly string[] {
  if (/pyproject\.toml$/i.test(path)) {
    return projectTables.test(before ?? "") || projectTables.test(after ?? "")
      ? ["runs when you build or test"]
      : [];
  }
  const old = parseObject(before ?? "{}");
  const young = parseObject(after ?? "{}");
  if (old === undefined || young === undefined) return ["package scripts"];
  const differs = (field: string): boolean =>
    JSON.stringify(old[field]) !== JSON.stringify(young[field]);
  return [
    ...(scriptFields.some(differs) ? ["package scripts"] : []),
    ...(installFields.some(differs) ? ["changes what is installed"] : []),
  ];
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.replace(/^\ufeff/, ""));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    // what cannot be read is judged as if it had changed
    return undefined;
  }
}
