import { createHash } from "node:crypto";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { BlobStore } from "../../../src/store/blob-store.ts";
import { makeStateFolder } from "../../support/open-store.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text));
}

describe("a kept content", () => {
  it("is named by its hash, private, and there once", async () => {
    using folder = makeStateFolder();
    const blobs = new BlobStore(join(folder.path, "blobs"));
    const blob = { sha256: sha256("hello"), size: 5 };
    expect(await blobs.put(Buffer.from("hello"))).toEqual(blob);
    expect(await blobs.put(chunks("he", "llo"))).toEqual(blob);
    expect(readdirSync(join(folder.path, "blobs"))).toEqual([blob.sha256]);
    expect(statSync(join(folder.path, "blobs", blob.sha256)).mode & 0o777).toBe(0o600);
    expect((await blobs.read(blob.sha256)).toString()).toBe("hello");
  });

  it("gives only what its name says", async () => {
    using folder = makeStateFolder();
    const blobs = new BlobStore(folder.path);
    const { sha256: name } = await blobs.put(Buffer.from("rm -r build"));
    writeFileSync(join(folder.path, name), "rm -r /home");
    const refused = { code: "STORE_FAILED" };
    await expect(blobs.read(name)).rejects.toMatchObject(refused);
    await expect(blobs.read(sha256("never"))).rejects.toMatchObject(refused);
    await expect(blobs.read("../ledger.sqlite")).rejects.toMatchObject(refused);
  });

  it("is bounded, and leaves nothing when it was too large or aborted", async () => {
    using folder = makeStateFolder();
    const blobs = new BlobStore(folder.path);
    const large = blobs.put(chunks("123", "456"), { bytesMax: 5 });
    await expect(large).rejects.toMatchObject({ code: "HOST_LIMIT" });
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(blobs.put(chunks("1"), { signal })).rejects.toThrow("enough");
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it("goes when it is not to be kept", async () => {
    using folder = makeStateFolder();
    const blobs = new BlobStore(folder.path);
    const [a, b] = await Promise.all([blobs.put(Buffer.from("a")), blobs.put(Buffer.from("b"))]);
    expect(await blobs.prune(new Set([a.sha256]))).toBe(1);
    expect((await blobs.read(a.sha256)).toString()).toBe("a");
    await expect(blobs.read(b.sha256)).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(await new BlobStore(join(folder.path, "none")).prune(new Set())).toBe(0);
  });
});
