/**
 * Runs one program that ends with whoever started it: node tether.mjs CHANNELS PROGRAM [ARGUMENT…]
 *
 * Descriptor 3 is the tether. The program's pid is written on it, in bubblewrap's words; when its other
 * end is gone, because it was closed or because the process that held it died, the program is killed.
 * macOS has nothing like Linux's parent-death signal. The program's end is this process's own. The program
 * gets the CHANNELS descriptors from 4 on; its 3 is the null device.
 */
import { spawn } from "node:child_process";
import net from "node:net";

const [channels = "0", program = "", ...args] = process.argv.slice(2);
const passed = Array.from({ length: Number(channels) }, (_, index) => index + 4);
const tether = new net.Socket({ fd: 3 });
const child = spawn(program, args, {
  stdio: ["ignore", "inherit", "inherit", "ignore", ...passed],
});
const cut = () => child.kill("SIGKILL");

child.once("error", (error) => {
  process.stderr.write(`cannot start ${program}: ${error.message}\n`);
  process.exitCode = 126;
  tether.destroy();
});
child.once("spawn", () => tether.write(`{"child-pid": ${child.pid}}\n`));
child.once("exit", (code, signal) => {
  tether.destroy();
  if (signal === null) process.exitCode = code ?? 1;
  else {
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  }
});
tether.on("error", cut);
tether.once("close", cut);
tether.resume();
// a polite end of this process must not be the end of the tether
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, cut);
