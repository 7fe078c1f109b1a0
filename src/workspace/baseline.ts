/** What was sent into the machine, path by path: the measure for every change that comes out. */

export type BaselineEntry =
  | {
      readonly kind: "file";
      /** permission bits as sent */
      readonly mode: number;
      readonly size: number;
      /** of the bytes that were sent, in hex */
      readonly sha256: string;
      readonly mtimeMs: number;
    }
  | { readonly kind: "folder"; readonly mode: number }
  | { readonly kind: "link"; readonly target: string };

export interface Baseline {
  readonly root: string;
  readonly entries: ReadonlyMap<string, BaselineEntry>;
}
