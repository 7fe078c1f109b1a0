import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  FrameDecoder,
  encodeFrame,
  framePayloadBytesMax,
  frameTypes,
} from "../../../src/wire/exec-frames.ts";

const frame = fc.record({ type: fc.nat(255), payload: fc.uint8Array({ maxLength: 300 }) });

describe("the decoder of an exec stream", () => {
  it("gives the same frames whatever the chunks they come in", () => {
    fc.assert(
      fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 64 })), (frames, cuts) => {
        let rest = Buffer.concat(frames.map(({ type, payload }) => encodeFrame(type, payload)));
        const decoder = new FrameDecoder();
        const seen = [];
        for (const cut of cuts) {
          seen.push(...decoder.push(rest.subarray(0, cut)));
          rest = rest.subarray(cut);
        }
        seen.push(...decoder.push(rest));
        decoder.end();
        expect(seen.map(({ type, payload }) => ({ type, payload: [...payload] }))).toEqual(
          frames.map(({ type, payload }) => ({ type, payload: [...payload] })),
        );
      }),
    );
  });

  it("says when the stream ends inside a frame, be it in the header or the payload", () => {
    const bytes = encodeFrame(frameTypes.stdout, Buffer.from("abc"));
    for (let length = 1; length < bytes.length; length += 1) {
      const decoder = new FrameDecoder();
      decoder.push(bytes.subarray(0, length));
      expect(() => decoder.end()).toThrow("ended inside a frame");
    }
  });

  it("refuses a frame over the bound as soon as its header is there", () => {
    const decoder = new FrameDecoder();
    const header = Buffer.alloc(5);
    header.writeUInt32BE(framePayloadBytesMax + 1, 1);
    decoder.push(header.subarray(0, 4));
    expect(() => decoder.push(header.subarray(4))).toThrow("announced a frame");
  });

  it("does no more work for the largest frame when it comes a byte at a time", () => {
    const bytes = encodeFrame(frameTypes.stdout, Buffer.alloc(framePayloadBytesMax, 1));
    const decoder = new FrameDecoder();
    const startedAt = process.cpuUsage();
    let frames = 0;
    for (let at = 0; at < bytes.length; at += 1) {
      frames += decoder.push(bytes.subarray(at, at + 1)).length;
    }
    expect(frames).toBe(1);
    // joining what is there again at each byte takes minutes
    expect(process.cpuUsage(startedAt).user / 1e6).toBeLessThan(5);
  });
});
