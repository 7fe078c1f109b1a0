/** A link between two hosts that a test cuts when it sees fit, and mends. */
import { once } from "node:events";
import net from "node:net";

export interface CuttingProxy extends Disposable {
  readonly address: string;
  /** Asked of each chunk: `cut` ends the link, `hold` keeps what is sent from now on from arriving. */
  judge: (from: "sender" | "receiver", bytes: number) => "pass" | "hold" | "cut";
  /** Ends every link there is. */
  readonly cut: () => void;
  /** nothing is let through */
  isDown: boolean;
}

export async function createCuttingProxy(target: string): Promise<CuttingProxy> {
  const port = Number(target.split(":").at(-1));
  const sockets = new Set<net.Socket>();
  let bytes = 0;
  const server = net.createServer((sender) => {
    if (proxy.isDown) {
      sender.destroy();
      return;
    }
    const receiver = net.connect(port, "127.0.0.1");
    let isHeld = false;
    const pass = (name: "sender" | "receiver", from: net.Socket, to: net.Socket): void => {
      sockets.add(from);
      from.on("error", () => undefined);
      from.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        const verdict = proxy.judge(name, bytes);
        if (verdict === "hold") isHeld = true;
        if (verdict === "cut") proxy.cut();
        if (verdict === "cut" || (isHeld && name === "sender")) return;
        if (!to.write(chunk)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
      from.once("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    };
    pass("sender", sender, receiver);
    pass("receiver", receiver, sender);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy: CuttingProxy = {
    address: `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    judge: () => "pass",
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    isDown: false,
    [Symbol.dispose]: () => {
      proxy.cut();
      server.close();
    },
  };
  return proxy;
}
