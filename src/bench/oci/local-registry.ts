/** Debian's docker-registry on a free port of loopback, for whoever asks. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withDeadline } from "../../base/deadline.ts";
import { createDeferred } from "../../base/deferred.ts";
import { LuminaGuardError } from "../../errors.ts";
import { startService } from "../../process/start-service.ts";

export interface LocalRegistry extends AsyncDisposable {
  /** as a reference says it */
  readonly host: string;
}

interface LocalRegistryOptions {
  /** where its blobs and its configuration go */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

const startTimeoutMs = 20_000;
const graceMs = 1000;
/** what it says once it can be asked */
const listening = /listening on (127\.0\.0\.1:\d+)/;

/** Resolves when it can be asked. Raises TOOL_MISSING, PROCESS_FAILED, TIMEOUT. */
export async function startLocalRegistry(options: LocalRegistryOptions): Promise<LocalRegistry> {
  const { folder, env, signal } = options;
  const configPath = join(folder, "registry.json");
  const config = {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, "registry") } },
    http: { addr: "127.0.0.1:0" },
  };
  await writeFile(configPath, JSON.stringify(config)); // JSON is YAML too
  const host = createDeferred<string>();
  const onStderrLine = (line: string): void => {
    const [, found] = listening.exec(line) ?? [];
    if (found !== undefined) host.resolve(found);
  };
  const service = await startService("docker-registry", ["serve", configPath], {
    env,
    onStderrLine,
  });
  void service.exited.then(() => {
    host.reject(
      new LuminaGuardError("PROCESS_FAILED", "docker-registry ended before it could be asked"),
    );
  });
  try {
    const waiting = { timeoutMs: startTimeoutMs, what: "the start of docker-registry", signal };
    return {
      host: await withDeadline(host.promise, waiting),
      [Symbol.asyncDispose]: async () => {
        await service.stop(graceMs);
      },
    };
  } catch (error) {
    await service.stop(graceMs);
    throw error;
  }
}
