/**
 * This package's folder: two up from src/base/, from dist/base/, and from dist/program/, where
 * scripts/bundle.mjs joins the modules of the command line.
 */
export const packageRoot: URL = new URL("../../", import.meta.url);
