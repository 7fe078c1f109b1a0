import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { renderWorkspaceLine } from "../../../src/workspace/left-out.ts";
import { packWorkspace } from "../../../src/workspace/pack.ts";
import { scanWorkspace, type Scan, type ScanOptions } from "../../../src/workspace/scan.ts";
import { collect } from "../../support/guest-tar.ts";
import { makeTempDir, makeTree, readTree, type Tree } from "../../support/make-tree.ts";

async function scanTree(tree: Tree, options: ScanOptions = {}): Promise<Scan> {
  using temp = makeTempDir();
  makeTree(temp.path, tree);
  return await scanWorkspace(temp.path, options);
}

const pathsOf = (scan: Scan): string[] =>
  scan.entries.filter(({ kind }) => kind !== "folder").map(({ path }) => path);
const leftOutOf = (scan: Scan): Record<string, readonly string[]> =>
  Object.fromEntries(scan.leftOut.map(({ reason, paths }) => [reason, paths]));

describe("what goes in", () => {
  test("files, folders and links, links unread", async () => {
    const scan = await scanTree({
      "a.txt": "abc",
      "b/c": "d",
      "b/l": { link: "/etc/passwd" },
      e: null,
    });
    expect(scan.entries.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      "file a.txt",
      "folder b",
      "file b/c",
      "link b/l",
      "folder e",
    ]);
    expect([scan.files, scan.bytes]).toEqual([2, 4]);
  });

  test("no more entries and bytes than the bounds", async () => {
    const tree = { "a.txt": "abc", "b.txt": "def" };
    await expect(scanTree(tree, { entriesMax: 1 })).rejects.toMatchObject({
      code: "WORKSPACE_TOO_LARGE",
    });
    await expect(scanTree(tree, { bytesMax: 5 })).rejects.toMatchObject({
      code: "WORKSPACE_TOO_LARGE",
      hint: expect.stringContaining(".luminaguardignore") as string,
    });
  });

  test("nothing of a half-done apply, and no special file", async () => {
    using temp = makeTempDir();
    makeTree(temp.path, { ".luminaguard-apply-0123/new/1": "x", a: "a" });
    execFileSync("mkfifo", [join(temp.path, "pipe")]);
    const scan = await scanWorkspace(temp.path);
    expect(pathsOf(scan)).toEqual(["a"]);
    expect(leftOutOf(scan)).toEqual({ special: ["pipe"] });
  });

  test("stops when the caller's signal is aborted", async () => {
    const signal = AbortSignal.abort(new Error("mine"));
    await expect(scanTree({ a: "a" }, { signal })).rejects.toThrow("mine");
  });
});

describe("ignore files", () => {
  test("nest as git nests them, the own file last", async () => {
    const scan = await scanTree({
      ".gitignore": "*.log\nbuild/\n/top.txt\n",
      ".luminaguardignore": "!keep.log\nbig/\n",
      "a.log": "",
      "keep.log": "",
      "top.txt": "",
      "sub/top.txt": "",
      "sub/.gitignore": "!b.log\nlocal\n",
      "sub/b.log": "",
      "sub/c.log": "",
      "sub/local": "",
      local: "",
      "build/x": "",
      "build/.gitignore": "!x\n",
      "big/x": "",
    });
    expect(pathsOf(scan).filter((path) => !path.includes("ignore"))).toEqual([
      "keep.log",
      "local",
      "sub/b.log",
      "sub/top.txt",
    ]);
    expect(leftOutOf(scan)["ignored"]).toEqual([
      "a.log",
      "big",
      "build",
      "sub/c.log",
      "sub/local",
      "top.txt",
    ]);
  });

  test("agree with git on a tree of awkward patterns", async () => {
    using temp = makeTempDir();
    makeTree(temp.path, {
      ".gitignore": "*.o\n!important.o\ndoc/**/*.pdf\n/only\n\\#hash\nsp ace \n[ab].c\n**/deep/x\nq?z\nd/\n",
      "x.o": "", "important.o": "", "doc/a/b.pdf": "", "doc/c.pdf": "", "only": "", "s/only": "",
      "#hash": "", "sp ace": "", "a.c": "", "c.c": "", "m/deep/x": "", "qaz": "", "d/f": "", "n/d": "",
      "n/.gitignore": "!*.o\n*.txt\n", "n/x.o": "", "n/y.txt": "",
    }); // prettier-ignore
    execFileSync("git", ["init", "-q"], { cwd: temp.path });
    const kept = execFileSync("git", ["ls-files", "-o", "--exclude-standard"], {
      cwd: temp.path,
      encoding: "utf8",
    });
    const scan = await scanWorkspace(temp.path);
    const own = pathsOf(scan).filter((path) => !path.startsWith(".git/"));
    expect(own.sort()).toEqual(
      kept
        .trim()
        .split("\n")
        .map((name) => name.replace(/^"(.*)"$/, "$1"))
        .sort(),
    );
  });

  test("with a pattern made to take hours are walked in no time", async () => {
    const scan = await scanTree({
      ".gitignore": `${"**/a/".repeat(8)}b\n${"*a".repeat(30)}*b\n**/*.log\n`,
      [`${"a/".repeat(100)}c`]: "",
      [`x/${"a".repeat(250)}`]: "",
      "x/y.log": "",
    });
    expect(pathsOf(scan)).toHaveLength(3);
  });

  test("a named folder goes in, its credentials do not", async () => {
    const tree = {
      ".gitignore": "node_modules/\n",
      "node_modules/m/i.js": "",
      "node_modules/m/.env": "X=1",
    };
    expect(pathsOf(await scanTree(tree))).toEqual([".gitignore"]);
    const scan = await scanTree(tree, { include: ["node_modules"] });
    expect(pathsOf(scan)).toEqual([".gitignore", "node_modules/m/i.js"]);
    expect(leftOutOf(scan)).toEqual({ credentials: ["node_modules/m/.env"] });
  });

  test("a glob with a slash reaches into an ignored folder", async () => {
    const tree = { ".gitignore": "build/\n", "build/out.txt": "", "build/obj/x.o": "" };
    const scan = await scanTree(tree, { include: ["build/*.txt"] });
    expect(pathsOf(scan)).toEqual([".gitignore", "build/out.txt"]);
    expect(leftOutOf(scan)["ignored"]).toEqual(["build"]);
  });
});

describe("credentials", () => {
  const key = "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n";
  const secret: Tree = {
    ...{ ".env": "", ".env.local": "", ".ENV.production": "", ".envrc": "", "sub/.env": "", "server.pem": "" },
    ...{ "tls.key": "", "store.p12": "", "c.PFX": "", "a.jks": "", "id_rsa": "", "id_ed25519.old": "", "id_work": "" },
    ...{ ".ssh/config": "", ".aws/credentials": "", ".kube/config": "", ".gnupg/x": "", ".netrc": "", "_netrc": "" },
    ...{ ".git-credentials": "", ".docker/config.json": "{}", ".pypirc": "", ".pgpass": "", ".vault-token": "" },
    ...{ "application_default_credentials.json": "{}", ".config/gh/hosts.yml": "", "prod.tfvars": "", "kubeconfig": "" },
    ...{ "terraform.tfstate.backup": "", "server.key.bak": "", ".terraform.d/credentials.tfrc.json": "" },
    ...{ ".npmrc": "//registry.npmjs.org/:_authToken=npm_abc\n", "web/.npmrc": "_auth=abc\n" },
    ...{ "deploy": key, "keys/backup.txt": `\n${key}`, "sa.json": '{"private_key": "-----BEGIN PRIVATE KEY-----"}' },
    ...{ "pip.conf": "index-url = https://u:pw@host/simple\n", ".yarnrc.yml": 'npmAuthToken: "abc"\n' },
  }; // prettier-ignore
  const plain: Tree = {
    ...{ ".env.example": "", ".env.sample": "", "id_rsa.pub": "", "id_generator.py": "", "id_map.json": "{}" },
    ...{ "environment.ts": "", "keys.ts": `const k = "${key.trim()}";`, "monkey.txt": "", "README.md": key },
    ...{ "prod.tfvars.example": "", "deploy/.npmrc": "_authToken=${NPM_TOKEN}\nsave-exact=true\n" },
    ...{ "pip/pip.conf": "index-url = https://host/simple\n", "docker/config.json": "{}" },
  }; // prettier-ignore

  test("of any known kind stay out, by name or by content", async () => {
    const scan = await scanTree(secret);
    expect(pathsOf(scan)).toEqual([]);
    expect(scan.leftOut.map(({ reason }) => reason)).toEqual(["credentials"]);
  });

  test("templates, public keys and source code go in", async () => {
    const scan = await scanTree(plain);
    expect(pathsOf(scan).sort()).toEqual(Object.keys(plain).sort());
  });

  test("go in when a glob names them, and only then", async () => {
    const scan = await scanTree(secret, { include: [".env", "keys/*", ".ssh", "*.pem"] });
    const sent = [".env", ".ssh/config", "keys/backup.txt", "server.pem", "sub/.env"];
    expect(pathsOf(scan)).toEqual(sent);
    expect(pathsOf(await scanTree({ ".env": "", "a/.env": "" }, { include: ["**", "*"] }))).toEqual(
      [],
    );
  });

  test.each(["", "/", "./", "x".repeat(600)])(
    "a glob that names nothing is refused: %s",
    async (glob) => {
      await expect(scanTree({}, { include: [glob] })).rejects.toMatchObject({ code: "USAGE" });
    },
  );
});

describe("a repository", { timeout: 60_000 }, () => {
  const git = (cwd: string, ...args: string[]): string =>
    execFileSync("git", ["-c", "user.name=n", "-c", "user.email=e@x", ...args], {
      cwd,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });

  /** Unpacks what would be sent into another folder, with the system's own tar. */
  async function send(root: string, into: string, options: ScanOptions = {}): Promise<Scan> {
    const scan = await scanWorkspace(root, options);
    const tar = await collect(packWorkspace(scan).chunks);
    mkdirSync(into, { recursive: true });
    execFileSync("tar", ["-x", "--no-same-owner", "-C", into], { input: tar });
    return scan;
  }

  function makeRepository(root: string, tree: Tree): void {
    makeTree(root, tree);
    git(root, "init", "-q", "-b", "main");
    git(root, "add", "-A", "-f");
    git(root, "commit", "-qm", "first");
    git(root, "tag", "-a", "v1", "-m", "tag");
    git(root, "remote", "add", "origin", "https://user:hunter2@example.com/x.git");
    git(root, "config", "credential.helper", "store --file=/hunter2");
    git(root, "config", "core.hooksPath", "/hunter2");
    git(root, "config", "core.fsmonitor", "/hunter2");
    git(root, "update-ref", "refs/remotes/origin/hunter2", "HEAD");
    makeTree(root, { ".git/hooks/pre-commit": { run: "hunter2" }, ".git/FETCH_HEAD": "hunter2" });
    writeFileSync(join(root, ".git/logs/HEAD"), "clone: from https://user:hunter2@example.com\n");
  }

  test("goes in without hooks, remotes and credentials, and git works in it", async () => {
    using temp = makeTempDir();
    const [root, copy] = [join(temp.path, "root"), join(temp.path, "copy")];
    makeRepository(root, { "a.txt": "a\n", "sub/b.txt": "b\n" });
    git(root, "pack-refs", "--all");
    git(root, "gc", "-q");
    git(root, "branch", "later");
    writeFileSync(join(root, "a.txt"), "changed\n");
    const scan = await send(root, copy);
    expect(git(copy, "status", "--porcelain")).toBe(" M a.txt\n");
    expect(git(copy, "log", "--format=%s %D")).toBe("first HEAD -> main, tag: v1, later\n");
    expect(git(copy, "fsck", "--strict", "--no-dangling")).toBe("");
    expect(git(copy, "remote")).toBe("");
    expect(git(copy, "config", "--local", "--list").trim().split("\n").sort()).toEqual([
      "core.bare=false",
      "core.filemode=true",
      "core.repositoryformatversion=0",
    ]);
    const sent = Object.entries(readTree(copy)).filter(([path]) => !path.includes("/objects/"));
    expect(JSON.stringify(sent)).not.toContain("hunter2");
    expect(leftOutOf(scan)).toEqual({ git: [".git hooks and remotes"] });
    git(copy, "commit", "-qam", "second");
  });

  test("with a tracked credential goes in without that object", async () => {
    using temp = makeTempDir();
    const [root, copy] = [join(temp.path, "root"), join(temp.path, "copy")];
    makeRepository(root, { "a.txt": "a\n", ".env": "TOKEN=hunter2\n" });
    await send(root, copy);
    expect(git(copy, "status", "--porcelain")).toBe(" D .env\n");
    expect(() => git(copy, "show", "HEAD:.env")).toThrow();
    const named = join(temp.path, "named");
    await send(root, named, { include: [".env"] });
    expect(git(named, "status", "--porcelain")).toBe("");
  });

  test("with a credential inside a pack stays out whole, unless it is named", async () => {
    using temp = makeTempDir();
    const root = join(temp.path, "root");
    makeRepository(root, { "a.txt": "a\n", "secrets/.ssh/id_x": "k\n" });
    git(root, "gc", "-q");
    const scan = await scanWorkspace(root);
    expect(pathsOf(scan)).toEqual(["a.txt"]);
    expect(leftOutOf(scan)["git"]).toEqual([".git: its history holds secrets/.ssh/id_x"]);
    const named = await scanWorkspace(root, { include: [".git"] });
    expect(pathsOf(named)).toContain(".git/HEAD");
  });

  test.each([2, 3, 4])("its index of version %i is understood", async (version) => {
    using temp = makeTempDir();
    const root = join(temp.path, "root");
    makeRepository(root, {
      "a.txt": "a\n",
      "deeper/folder/a.txt": "x\n",
      "deeper/folder/id_rsa": "k\n",
    });
    git(root, "update-index", "--index-version", String(version));
    if (version === 3) git(root, "update-index", "--skip-worktree", "a.txt");
    git(root, "gc", "-q");
    const scan = await scanWorkspace(root);
    expect(leftOutOf(scan)["git"]).toEqual([".git: its history holds deeper/folder/id_rsa"]);
  });

  test("of another object format works too", async () => {
    using temp = makeTempDir();
    const [root, copy] = [join(temp.path, "root"), join(temp.path, "copy")];
    makeTree(root, { "a.txt": "a\n", ".env": "x" });
    git(root, "init", "-q", "--object-format=sha256");
    git(root, "add", "-A");
    git(root, "commit", "-qm", "first");
    await send(root, copy);
    expect(git(copy, "status", "--porcelain")).toBe(" D .env\n");
  });

  test("that is only a pointer, borrows objects or cannot be read stays out", async () => {
    const scan = await scanTree({
      "sub/.git": "gitdir: ../.git/modules/sub\n",
      "sub/a": "",
      ".GIT/x": "",
    });
    expect(pathsOf(scan)).toEqual(["sub/a"]);
    expect(leftOutOf(scan)).toEqual({ git: [".GIT", "sub/.git"] });
    const borrowed = await scanTree({ ".git/HEAD": "x", ".git/objects/info/alternates": "/x\n" });
    expect(leftOutOf(borrowed)["git"]).toEqual([
      ".git: it borrows objects from another repository",
    ]);
    const foreign = await scanTree({ ".git/HEAD": "x", ".git/index": "DIRC\0\0\0\x02\0\0\0\x05" });
    expect(leftOutOf(foreign)["git"]).toEqual([".git: its index is not understood"]);
    const reftable = await scanTree({ ".git/config": "[extensions]\n\trefStorage = reftable\n" });
    expect(leftOutOf(reftable)["git"]).toEqual([
      ".git: its refs are in a store that is not understood",
    ]);
  });
});

describe("the line about it", () => {
  test("names credentials first and says how to send them", async () => {
    const scan = await scanTree({
      ".gitignore": ".venv/\n",
      ".venv/x": "",
      ".env": "",
      "id_ed25519.pem": "",
      "a.py": "x".repeat(3100000),
    });
    expect(renderWorkspaceLine(scan)).toBe(
      "2 files, 3.1 MB · left out: .env, id_ed25519.pem (credentials), .venv (ignored); --include sends them",
    );
  });

  test("stays short whatever there is, and escapes what is in names", () => {
    const paths = Array.from({ length: 50 }, (_, at) => `folder/name-${at}\u001b[2J`);
    const leftOut = [
      { reason: "credentials", paths, count: 5000 },
      { reason: "ignored", paths: ["x".repeat(300)], count: 1 },
    ] as const;
    const line = renderWorkspaceLine({ files: 1, bytes: 999, leftOut }, { width: 160 });
    expect(line.length).toBeLessThanOrEqual(160);
    expect(line).toMatch(
      /^1 file, 999 B · left out: folder\/name-0\\x1b\[2J.* \+\d+ more \(credentials\), …x+ \(ignored\)/,
    );
  });

  test("is plain when nothing was left out", async () => {
    expect(renderWorkspaceLine(await scanTree({ a: "a" }))).toBe("1 file, 1 B");
  });
});

describe("what cannot be read", () => {
  test.skipIf(process.getuid?.() === 0)("is left out and named", async () => {
    using temp = makeTempDir();
    makeTree(temp.path, { "a.txt": "a", "d/x": "x" });
    chmodSync(join(temp.path, "d"), 0);
    const scan = await scanWorkspace(temp.path);
    chmodSync(join(temp.path, "d"), 0o700);
    expect(leftOutOf(scan)).toEqual({ unreadable: ["d"] });
    expect(readFileSync(join(temp.path, "a.txt"), "utf8")).toBe("a");
  });
});
