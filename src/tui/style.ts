/** Colours for people, off wherever they would be in the way. Only the terminal's own 16: dark and light both work. */
export type Paint = "bold" | "dim" | "red" | "green" | "yellow" | "magenta" | "cyan";

export type Style = Readonly<Record<Paint, (text: string) => string>>;

const codes: Readonly<Record<Paint, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  magenta: [35, 39],
  cyan: [36, 39],
};

export function createStyle(colour: boolean): Style {
  const paint = (name: Paint) => {
    const [on, off] = codes[name];
    return (text: string) => (colour ? `\u001b[${on}m${text}\u001b[${off}m` : text);
  };
  return {
    bold: paint("bold"),
    dim: paint("dim"),
    red: paint("red"),
    green: paint("green"),
    yellow: paint("yellow"),
    magenta: paint("magenta"),
    cyan: paint("cyan"),
  };
}
