/** Where machines go to and come from, as a person writes it. */
export { parseAddress, renderAddress } from "../../vm/migration/tls-peer.ts";
