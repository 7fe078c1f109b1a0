/** Fenced code blocks of a Markdown file. */
import { readFile } from "node:fs/promises";

export interface CodeBlock {
  readonly language: string;
  readonly code: string;
}

export async function readCodeBlocks(path: string): Promise<readonly CodeBlock[]> {
  const text = await readFile(path, "utf8");
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = "", code = ""]) => {
    return { language, code };
  });
}
