/** Who may run a machine that moves: whatever is cut or killed when, never both. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  makeSecret,
  runsAtReceiver,
  runsAtSender,
  stepReceiver,
  stepSender,
} from "../../../../src/vm/migration/handover.ts";
import type {
  ReceiverPhase,
  ReceiverStep,
  SenderPhase,
  SenderStep,
} from "../../../../src/vm/migration/handover.ts";

const actions = [
  ...["all is here", "give", "break off", "decline"],
  ...["send token", "send arrived", "send proof", "guess token", "guess proof"],
  ...["cut", "mend", "kill sender", "kill receiver"],
] as const;
type Action = (typeof actions)[number];

/** Two sides and the link between them; a message is what the other side said at that moment. */
class Move {
  readonly #token = makeSecret();
  readonly #proof = makeSecret();
  sender: SenderPhase = "copying";
  receiver: ReceiverPhase = "copying";
  isCut = false;
  senderLives = true;
  receiverLives = true;

  do(action: Action): void {
    if (action === "cut" || action === "mend") this.isCut = action === "cut";
    else if (action === "kill sender") this.senderLives = false;
    else if (action === "kill receiver") this.receiverLives = false;
    else this.#step(action);
  }

  #step(action: Action): void {
    if (action === "all is here") this.#atReceiver("all is here");
    if (action === "decline") this.#atReceiver("decline");
    if (action === "guess token") this.#atReceiver({ token: makeSecret().secret });
    if (action === "guess proof") this.#atSender({ proof: makeSecret().secret });
    if (action === "break off") this.#atSender("break off");
    // the sender gives up only what the receiver says is there
    if (action === "give" && !this.isCut && this.receiver === "ready") this.#atSender("give");
    if (!this.isCut) this.#send(action);
  }

  #send(action: Action): void {
    // the journal outlives the supervisor
    if (action === "send token" && this.sender === "given") {
      this.#atReceiver({ token: this.#token.secret });
    }
    if (action === "send arrived" && this.receiver === "taken") this.#atSender("it arrived");
    if (action === "send proof" && this.receiver === "declined") {
      this.#atSender({ proof: this.#proof.secret });
    }
  }

  #atSender(step: SenderStep): void {
    try {
      this.sender = stepSender(this.sender, step, this.#proof.hash);
    } catch {
      // refused: nothing changed
    }
  }

  #atReceiver(step: ReceiverStep): void {
    try {
      this.receiver = stepReceiver(this.receiver, step, this.#token.hash);
    } catch {
      // refused: nothing changed
    }
  }

  get running(): number {
    const atSender = this.senderLives && runsAtSender(this.sender);
    const atReceiver = this.receiverLives && runsAtReceiver(this.receiver);
    return Number(atSender) + Number(atReceiver);
  }
}

describe("a machine that moves", () => {
  it("never runs on both sides, whatever is cut, killed, told twice or guessed in whatever order", () => {
    let moved = 0;
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...actions), { minLength: 20, maxLength: 80 }),
        (steps) => {
          const move = new Move();
          for (const step of steps) {
            move.do(step);
            expect(move.running).toBeLessThanOrEqual(1);
          }
          if (move.receiver === "taken") moved += 1;
        },
      ),
      { numRuns: 5_000, seed: 5 },
    );
    expect(moved).toBeGreaterThan(50); // else nothing was tried
  });

  it("can always be brought to run on exactly one side once the two see each other", () => {
    const harmless = actions.filter((action) => !action.startsWith("kill"));
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...harmless), { maxLength: 40 }),
        fc.constantFrom("here", "there"),
        (steps, where) => {
          const move = new Move();
          for (const step of steps) move.do(step);
          move.do("mend");
          if (where === "here") move.do("decline");
          move.do("send proof");
          move.do("send token");
          move.do("send arrived");
          expect(move.running).toBe(1);
        },
      ),
      { numRuns: 2_000, seed: 6 },
    );
  });

  it("is on both sides only where a person vouched falsely that the other is gone", () => {
    const { hash } = makeSecret();
    expect(stepSender("given", "other is gone", hash)).toBe("stays");
    expect(stepReceiver("ready", "other is gone", hash)).toBe("taken");
    expect(() => stepSender("gone", "other is gone", hash)).toThrow('at "gone"');
    expect(() => stepReceiver("declined", "other is gone", hash)).toThrow('at "declined"');
  });
});
