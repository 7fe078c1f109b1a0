/** Removes a test's folder of templates: one may still be hashed, by a program that outlives whoever asked. */
import { rm } from "node:fs/promises";

export function removeTemplates(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
