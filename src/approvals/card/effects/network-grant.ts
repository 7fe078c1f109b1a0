import type { NetworkGrant } from "../../effect.ts";
import { showName } from "../shown-value.ts";
import type { EffectWords } from "./effect-words.ts";

export function describeNetworkGrant(effect: NetworkGrant): EffectWords {
  const { host, port, methods, isFirstContact } = effect;
  const where = `${showName(host)}:${port}`;
  const what = methods.length === 0 ? "any request" : methods.map(showName).join(", ");
  const isAscii = /^[\0-\x7f]*$/.test(host) && !/(^|\.)xn--/i.test(host);
  return {
    onYes: `requests may leave for ${where}: ${what}`,
    flags: [
      ...(isFirstContact ? ["first contact with this host"] : []),
      ...(isAscii ? [] : ["the host's name has letters beyond a to z"]),
    ],
    facts: [
      ["host", where],
      ["methods", what],
    ],
  };
}
