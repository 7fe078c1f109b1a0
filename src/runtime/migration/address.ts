/** Where machines go to and come from, as a person writes it. */
export { parseAddress, renderAddress } from "../../vm/migration/tls-peer.ts";

/** Whether it is a file: it has a slash in it, or does not look like HOST:PORT. */
export function isFilePath(to: string): boolean {
  return /[/\\]/.test(to) || !/:\d{1,5}$/.test(to);
}
