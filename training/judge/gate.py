"""Decides whether a candidate may replace the champion, by the predictions of both on the same frozen rows.

The gate gets two loaded models and runs them itself, so that no metric of another day can decide.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from storage.models.verdict import Check, Decision
from storage.scheme import ObviousCase
from training.judge.evaluate import Evaluation, Examples, Model, evaluate, examples
from training.judge.metrics import score


class GatePolicy(BaseModel):
    """What a candidate must reach to replace the champion."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_seed_loss: float = Field(
        default=0.02, ge=0.0, le=0.2, description="Macro-F1 that may be lost on the test rows of the seed data."
    )
    min_audit_rows: int = Field(
        default=50, ge=1, le=100_000, description="Answered audit rows that are needed to replace a champion."
    )


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision, its reason in words, and the checks that led to it."""

    decision: Decision
    reason: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Evaluations:
    """One model's evaluation on each set of rows; `audit` and `seed` may be empty."""

    audit: Evaluation
    seed: Evaluation
    obvious: Evaluation


@dataclass(frozen=True, slots=True)
class Judgement:
    """The ruling and the evaluations that led to it, so that reports need not run a model again."""

    ruling: Ruling
    champion: Evaluations | None
    candidate: Evaluations


AUDIT_ROWS = "audit rows"


def judge(
    champion: Model | None,
    candidate: Model,
    audit: Examples,
    seed: Examples,
    obvious: Sequence[ObviousCase],
    policy: GatePolicy,
) -> Judgement:
    """Run both models on the audit slice, the seed data's test rows and the obvious cases, and decide.

    `champion` is None before the first. An empty `audit` or `seed` fails the checks that need it.
    """
    certain = examples((case.text, case.label) for case in obvious)
    of_champion = None if champion is None else _run(champion, audit, seed, certain)
    of_candidate = _run(candidate, audit, seed, certain)
    return Judgement(_ruling(of_champion, of_candidate, policy), of_champion, of_candidate)


def _run(model: Model, audit: Examples, seed: Examples, obvious: Examples) -> Evaluations:
    return Evaluations(audit=evaluate(model, audit), seed=evaluate(model, seed), obvious=evaluate(model, obvious))


def _ruling(champion: Evaluations | None, candidate: Evaluations, policy: GatePolicy) -> Ruling:
    """Promote what is better in macro-F1 on the audit slice, not much worse on the seed data, and sound in itself.

    A first champion need only be sound: the obvious cases are right, and the commonest label is beaten on the test rows
    of the seed data, and on the audit slice once that is large enough. Where only audit rows are missing, the candidate
    is undecided.
    """
    checks = [_obvious(candidate), _beats_commonest("test rows of the seed data", candidate.seed)]
    enough = len(candidate.audit) >= policy.min_audit_rows
    if enough:
        checks.append(_beats_commonest("audit slice", candidate.audit))
    if champion is not None:
        checks.append(_enough_audit(len(candidate.audit), policy))
        if enough:
            checks.append(_better(champion.audit, candidate.audit))
        checks.append(_no_loss(champion.seed, candidate.seed, policy))
    failed = [check for check in checks if not check.passed]
    if not failed:
        passed = "it is the first champion and sound" if champion is None else "every condition holds"
        return Ruling(Decision.PROMOTE, passed, tuple(checks))
    unproven = all(check.name == AUDIT_ROWS for check in failed)
    decision = Decision.UNDECIDED if unproven else Decision.REFUSE
    return Ruling(decision, "; ".join(check.why for check in failed), tuple(checks))


def _obvious(candidate: Evaluations) -> Check:
    evaluation = candidate.obvious
    wrong = [
        f"{text!r} was called {said}"
        for text, truth, said in zip(evaluation.texts, evaluation.truth, evaluation.predicted, strict=True)
        if said != truth
    ]
    right = len(evaluation) - len(wrong)
    why = f"{right} of {len(evaluation)} obvious cases are right"
    return Check(
        name="obvious cases",
        value=right,
        threshold=len(evaluation),
        passed=not wrong,
        why=f"{why}: {', '.join(wrong)}" if wrong else why,
    )


def _beats_commonest(where: str, evaluation: Evaluation) -> Check:
    """Macro-F1 against always predicting the rows' commonest label.

    Not accuracy: where three quarters of the rows have one label, always predicting this label is useless, but its
    accuracy can be higher than that of a model that finds the rare labels.
    """
    name = f"better than the commonest label on the {where}"
    if not len(evaluation):
        return Check(name=name, value=0.0, threshold=0.0, passed=False, why=f"there are no {where} to judge by")
    commonest = max(sorted(Counter(evaluation.truth).items()), key=lambda item: item[1])[0]
    floor = score(evaluation.truth, [commonest] * len(evaluation), evaluation.labels).macro_f1
    value = evaluation.scores().macro_f1
    passed = value > floor
    why = (
        f"macro-F1 {value:.3f} on the {where} is {'above' if passed else 'not above'} the {floor:.3f} "
        f"of always predicting {commonest}"
    )
    return Check(name=name, value=value, threshold=floor, passed=passed, why=why)


def _enough_audit(rows: int, policy: GatePolicy) -> Check:
    passed = rows >= policy.min_audit_rows
    why = f"{rows} answered audit rows of at least {policy.min_audit_rows}"
    if not passed:
        why = f"not enough evidence: {why}; run `finloop audit` and answer its tasks"
    return Check(name=AUDIT_ROWS, value=rows, threshold=policy.min_audit_rows, passed=passed, why=why)


def _better(champion: Evaluation, candidate: Evaluation) -> Check:
    difference = candidate.against(champion)
    before, after = champion.scores().macro_f1, candidate.scores().macro_f1
    passed = after > before
    moved = "rises" if passed else "does not rise"
    why = (
        f"macro-F1 on {len(candidate)} audit rows {moved}: {before:.3f} to {after:.3f} "
        f"(difference {difference.macro_f1:+.3f}, 95 % interval {difference.low:+.3f} to {difference.high:+.3f})"
    )
    return Check(name="better on the audit slice", value=after, threshold=before, passed=passed, why=why)


def _no_loss(champion: Evaluation, candidate: Evaluation, policy: GatePolicy) -> Check:
    name = "seed data kept"
    if not len(candidate):
        return Check(name=name, value=0.0, threshold=0.0, passed=False, why="there are no test rows of the seed data")
    before, after = champion.scores().macro_f1, candidate.scores().macro_f1
    threshold = before - policy.max_seed_loss
    passed = after >= threshold
    why = (
        f"macro-F1 on {len(candidate)} test rows of the seed data goes from {before:.3f} to {after:.3f}, "
        f"{'within' if passed else 'beyond'} the loss of {policy.max_seed_loss:.3f} that is allowed"
    )
    return Check(name=name, value=after, threshold=threshold, passed=passed, why=why)
