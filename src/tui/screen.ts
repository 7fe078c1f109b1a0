/** Where a card is drawn. */
import type { WriteStream } from "node:tty";
import type { Style } from "./style.ts";

export interface Screen {
  readonly write: (text: string) => void;
  readonly columns: () => number;
  readonly rows: () => number;
  /** the terminal understands no sequences: lines are printed, one after another */
  readonly isDumb: boolean;
  readonly style: Style;
  /** code is coloured, too */
  readonly isColoured: boolean;
  readonly onResize: (listener: () => void) => Disposable;
}

/** smallest screen that a card is laid out for */
const least = { columns: 40, rows: 8 };

export function createScreen(
  stream: WriteStream,
  { style, isDumb, isColoured }: Pick<Screen, "style" | "isDumb" | "isColoured">,
): Screen {
  return {
    style,
    isDumb,
    isColoured,
    write: (text) => void stream.write(text),
    columns: () => Math.max(least.columns, stream.columns),
    rows: () => Math.max(least.rows, stream.rows),
    onResize: (listener) => {
      stream.on("resize", listener);
      return { [Symbol.dispose]: () => void stream.off("resize", listener) };
    },
  };
}
