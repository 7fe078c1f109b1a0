/** Whether the process that owned something is no more, so that what it left may be cleared away. */
import { identifyProcess } from "../process/process-identity.ts";

export async function isProcessGone(pid: number): Promise<boolean> {
  return (await identifyProcess(pid)) === undefined;
}
