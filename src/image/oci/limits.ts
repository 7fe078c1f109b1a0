/** How much of an image from outside is taken. Each is far over what public images have. */
export interface OciLimits {
  /** largest index or manifest, in `bytes`; registries refuse more than 4 MiB (distribution spec) */
  readonly manifestBytesMax: number;
  /** largest configuration, in `bytes` */
  readonly configBytesMax: number;
  readonly layersMax: number;
  /** of one layer as it is stored, in `bytes` */
  readonly layerBytesMax: number;
  /** of all layers unpacked, in `bytes` */
  readonly unpackedBytesMax: number;
  /** unpacked bytes for each stored one, looked at over `ratioFromBytes` */
  readonly ratioMax: number;
  readonly ratioFromBytes: number;
  /** files, folders, links and whiteouts of all layers */
  readonly entriesMax: number;
}

const gibibyte = 1024 ** 3;

export const defaultOciLimits: OciLimits = {
  manifestBytesMax: 4 * 1024 ** 2,
  configBytesMax: 8 * 1024 ** 2,
  layersMax: 512,
  layerBytesMax: 16 * gibibyte,
  unpackedBytesMax: 64 * gibibyte,
  ratioMax: 200,
  ratioFromBytes: gibibyte,
  entriesMax: 1_000_000,
};
