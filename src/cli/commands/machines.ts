/** `luminaguard freeze`, `resume`, `rm` and `ps`: the switch, whoever started the machines. */
import { escapeText } from "../../base/escape-text.ts";
import { LuminaGuardError } from "../../errors.ts";
import { createLuminaGuard } from "../../runtime/create-luminaguard.ts";
import { createMachineDesk } from "../../runtime/machine-desk.ts";
import type { ListedMachine, MachineReport } from "../../runtime/machine-desk.ts";
import { exitCodes } from "../exit-codes.ts";
import { printJson, say } from "../io.ts";
import type { CliIo } from "../io.ts";

interface AllOption {
  readonly all?: boolean;
}

export async function freeze(
  io: CliIo,
  ids: readonly string[],
  options: AllOption,
): Promise<number> {
  const desk = createMachineDesk();
  const which = chooseMachines("freeze", ids, options);
  const { machines, durationMs } = await (which === "all" ? desk.freezeAll() : desk.freeze(which));
  const frozen = machines.filter(({ state }) => state === "frozen");
  for (const { id, vmmPid } of frozen) say(io, `frozen    ${id} (process ${String(vmmPid)})`);
  for (const machine of machines) {
    if (machine.state === "starting") say(io, `starting  ${machine.id} is refused when it goes on`);
  }
  say(io, `${count(frozen)} frozen in ${(durationMs / 1000).toFixed(2)} s`);
  if (which === "all") {
    say(io, "  new machines are refused until: luminaguard resume --all");
    await withdrawCards(io);
  }
  return judge(io, machines, "running", "could not be stopped");
}

/** The machines stand still by now, whatever becomes of this. */
async function withdrawCards(io: CliIo): Promise<void> {
  await using lumina = await createLuminaGuard();
  const withdrawn = await lumina.approvals.withdrawAll("STOP");
  if (withdrawn > 0) say(io, `withdrew  ${withdrawn} ${withdrawn === 1 ? "card" : "cards"}`);
}

export async function resume(
  io: CliIo,
  ids: readonly string[],
  options: AllOption,
): Promise<number> {
  const desk = createMachineDesk();
  const which = chooseMachines("resume", ids, options);
  const { machines } = await (which === "all" ? desk.resumeAll() : desk.resume(which));
  for (const { id, state } of machines) if (state === "running") say(io, `running   ${id}`);
  if (which === "all") say(io, "machines may start again");
  else if (desk.isStopped) {
    say(io, "  new machines are still refused; luminaguard resume --all lets them start");
  }
  return judge(io, machines, "frozen", "did not go on");
}

export async function rm(io: CliIo, ids: readonly string[], options: AllOption): Promise<number> {
  const desk = createMachineDesk();
  const which = chooseMachines("rm", ids, options);
  const before = desk.list().filter(({ id }) => which === "all" || which.includes(id));
  const { machines }: MachineReport = await (which === "all"
    ? desk.removeAll()
    : desk.remove(which));
  const isThere = ({ id }: ListedMachine): boolean => machines.some((left) => left.id === id);
  for (const machine of before) if (!isThere(machine)) say(io, `removed   ${machine.id}`);
  if (which === "all") say(io, "machines may start again");
  return judge(io, machines, undefined, "could not be ended");
}

export function ps(io: CliIo, { json }: { readonly json?: boolean }): Promise<number> {
  const desk = createMachineDesk();
  const machines = desk.list();
  if (json === true) {
    printJson(io, { stopped: desk.isStopped, machines });
    return Promise.resolve(exitCodes.done);
  }
  for (const { id, state, ownerPid, vmmPid, since, hasNetwork, command } of machines) {
    const when = (since ?? "").slice(0, 19).replace("T", " ").padEnd(19);
    const pids = `owner ${String(ownerPid).padEnd(7)}  vmm ${String(vmmPid ?? "-").padEnd(7)}`;
    const line = `${id}  ${state.padEnd(8)}  ${pids}  ${when}  ${escapeText(command ?? "")}`;
    const isCut = io.stdout.isTTY && line.length > io.columns;
    io.stdout.write(`${isCut ? `${line.slice(0, io.columns - 1)}…` : line.trimEnd()}\n`);
    if (hasNetwork) say(io, io.style.red(`          ${id} has a network card`));
  }
  if (machines.length === 0) say(io, "no machine runs");
  if (desk.isStopped) say(io, "  new machines are refused until: luminaguard resume --all");
  return Promise.resolve(exitCodes.done);
}

function chooseMachines(
  word: string,
  ids: readonly string[],
  { all }: AllOption,
): "all" | readonly string[] {
  if (all === true && ids.length === 0) return "all";
  if (all !== true && ids.length > 0) return ids;
  throw new LuminaGuardError("USAGE", "name machines, or say --all", {
    hint: `luminaguard ps  lists them; luminaguard ${word} --all  is for every one`,
  });
}

/** Tells of each machine that did not obey: one left in this state, or left at all. */
function judge(
  io: CliIo,
  machines: readonly ListedMachine[],
  state: ListedMachine["state"] | undefined,
  what: string,
): number {
  const left = machines.filter((machine) => state === undefined || machine.state === state);
  for (const { id, vmmPid } of left) {
    say(io, `${io.style.red("luminaguard:")} ${id} (process ${String(vmmPid)}) ${what}`);
    say(io, `  end it: luminaguard rm ${id}, or kill -9 ${String(vmmPid)}`);
  }
  return left.length === 0 ? exitCodes.done : exitCodes.failed;
}

function count({ length }: readonly unknown[]): string {
  return `${length} ${length === 1 ? "machine" : "machines"}`;
}
