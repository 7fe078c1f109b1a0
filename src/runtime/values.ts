/** The values that faces draw, in one place, so that a face imports `runtime` and nothing below it. */
export { renderBytes, renderWorkspaceLine } from "../workspace/left-out.ts";
export type { ApplyResult } from "../workspace/apply.ts";
export type { ApplyChoice } from "../workspace/apply-choice.ts";
export type { Change, ChangeSet, ChangeState } from "../workspace/change-set.ts";
export type { Recovery } from "../workspace/recover.ts";
export type { Kept } from "../vm/kept/kept-store.ts";
export type { Snapshot } from "../vm/snapshots/snapshot-store.ts";
export type { KeptEvent } from "./kept/kept-log.ts";
export type { TreeNode } from "./kept/snapshot-tree.ts";
export type { Started } from "./kept/kept-desk.ts";
export type { CacheItem } from "../image/image-cache.ts";
export type { BuildProgress } from "../image/build-image.ts";
export type { Image, ImageSummary } from "../image/image-store.ts";
export type { CanaryResult } from "../vm/choice/canary.ts";
export type { Selection } from "../vm/choice/select.ts";
export type { Approval, ApprovalState } from "../approvals/approval.ts";
export type { CliffVerdict } from "../approvals/cliff-verdict.ts";
export type { Nic } from "../vm/spec.ts";
export type { EnvelopeDraft } from "../approvals/envelope.ts";
export type { Grant } from "../approvals/grant.ts";
export type { VerifiedChain } from "../audit/chain-verifier.ts";
export type {
  Card,
  CardChoice,
  Fact,
  FileSection,
  GrantScopeKind,
  TextSection,
} from "../approvals/card/card.ts";
export { filesOf } from "../approvals/card/card.ts";
export type { DiffHunk, DiffLine, FileDiff } from "../approvals/card/file-diff.ts";
export { buildChangeCard, describeRest } from "./cliff/change-card.ts";
export { runPager } from "../process/run-pager.ts";
export type { PagerSettings } from "../process/run-pager.ts";
export { findAlike } from "../approvals/alike.ts";
export { buildCard } from "../approvals/card/build-card.ts";
export { diffCardBytesMax, readDiffCard } from "../approvals/card/diff-card.ts";
export { effectKinds } from "../approvals/effect.ts";
export type { EffectKind } from "../approvals/effect.ts";
export type { Explanation } from "../policy/explain.ts";
export type { PolicyProblem } from "../policy/policy-file.ts";
export type { Verdict } from "../policy/question.ts";
