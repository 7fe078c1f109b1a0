/**
 * Credentials that only the content tells: private keys under any name, service accounts, and settings
 * files (`.npmrc`, `pip.conf`, …) once they hold a token. Only small files of telling names are opened.
 */
import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** largest file that is looked into, in `bytes` */
const sniffBytesMax = 64 * 1024;

interface ContentRule {
  /** the base names, in lower case, that the rule opens */
  readonly name: RegExp;
  readonly content: RegExp;
}

/** A value that is written out, not taken from the environment (`${NPM_TOKEN}`, `$TOKEN`, `%TOKEN%`). */
const literal = String.raw`\s*[=:]\s*["']?(?![$%{"'\s])[^\s"']`;

const rules: readonly ContentRule[] = [
  {
    // no extension, or one under which keys are kept; never source code, which may quote a key
    name: /^[^.]+$|^\.[^.]+$|\.(txt|asc|bak|old|orig|crt|cer|json|ya?ml|conf|cfg|config|secret|private|priv|rsa|dsa|ec)$/,
    content: /^\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|^\s*PuTTY-User-Key-File-/m,
  },
  { name: /\.json$/, content: /"private_key"\s*:\s*"-----BEGIN|"refresh_token"\s*:\s*"[^"]{20}/ },
  {
    name: /^\.?(npmrc|yarnrc|yarnrc\.yml|pnpmrc)$|\.npmrc$/,
    content: new RegExp(
      String.raw`(_authToken|_auth|_password|npmAuthToken|npmAuthIdent)"?${literal}`,
      "i",
    ),
  },
  {
    name: /^(\.?pip\.conf|pip\.ini|uv\.toml|\.condarc|poetry\.toml|\.?gitconfig|\.gitmodules|\.curlrc|\.wgetrc|\.hgrc)$/,
    content: new RegExp(
      String.raw`://[^/\s:@]+:(?![$%{])[^/\s@]+@|^\s*(proxy-)?(password|user|header)${literal}`,
      "im",
    ),
  },
  {
    name: /^(config|.*\.(ya?ml|conf|config))$/,
    content: /^\s*(client-key-data|id-token|refresh-token):\s*\S/m,
  },
  { name: /^(docker-?config|config|auth)\.json$/, content: /"auths?"\s*:\s*"[A-Za-z0-9+/=]{8}/ },
  { name: /^settings(-security)?\.xml$/, content: /<(password|passphrase|master)>(?!\s*[$<])/ },
  {
    name: /^(gradle|local|keystore|key|signing)\.properties$/,
    content: new RegExp(String.raw`(password|token|secret)[a-z0-9_.]*${literal}`, "i"),
  },
];

/** Whether the content can tell anything about a file of this name and size. */
export function isWorthSniffing(base: string, size: number): boolean {
  return (
    size > 0 && size <= sniffBytesMax && rules.some((rule) => rule.name.test(base.toLowerCase()))
  );
}

/** Whether the bytes of a file of that base name hold a credential. */
function isCredentialContent(base: string, bytes: Uint8Array): boolean {
  const folded = base.toLowerCase();
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  return rules.some((rule) => rule.name.test(folded) && rule.content.test(text));
}

/** Reads the file (never through a link) and judges it; a file that cannot be read is not judged. */
export async function holdsCredential(file: string, base: string): Promise<boolean> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { bytesRead, buffer } = await handle.read(
      Buffer.alloc(sniffBytesMax),
      0,
      sniffBytesMax,
      0,
    );
    return isCredentialContent(base, buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}
