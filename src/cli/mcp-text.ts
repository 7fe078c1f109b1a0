/** What a server says, for a person's terminal: nothing in it moves the cursor. */
import type { ContentBlock } from "@modelcontextprotocol/client";
import { escapeText } from "../base/escape-text.ts";

/** Text as it is on a pipe, escaped on a terminal; what is not text is named with its size. */
export function renderContents(contents: readonly ContentBlock[], isTerminal: boolean): string {
  return contents.map((each) => `${renderContent(each, isTerminal)}\n`).join("");
}

function renderContent(content: ContentBlock, isTerminal: boolean): string {
  const shown = (text: string): string => (isTerminal ? escapeText(text, { keep: "\n\t" }) : text);
  switch (content.type) {
    case "text":
      return shown(content.text);
    case "image":
    case "audio":
      return `[${content.type}, ${shown(content.mimeType)}, ${String(Buffer.byteLength(content.data, "base64"))} bytes; --json has it]`;
    case "resource_link":
      return `[resource ${shown(content.uri)}]`;
    case "resource":
      return "text" in content.resource
        ? shown(content.resource.text)
        : `[resource ${shown(content.resource.uri)}; --json has it]`;
  }
}

/** Columns as wide as their widest cell, the last as it is. */
export function renderRows(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  const cells = rows.map((row) => row.map((cell) => escapeText(cell)));
  for (const row of cells) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return lines.map((line) => `${line}\n`).join("");
}
