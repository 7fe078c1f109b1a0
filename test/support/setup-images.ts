/** Machines in tests boot from the same base image that a person gets. Built once, before any test. */
import { createLuminaGuard } from "../../src/runtime/create-luminaguard.ts";

export async function setup(): Promise<void> {
  await using lumina = await createLuminaGuard();
  await lumina.host.openImage("base");
}
