"""Whether a candidate may replace the champion, decided on what both answer now, on the same frozen rows.

The gate is handed two loaded models and runs them itself: a number remembered from another day cannot enter. How the
answers become a decision is a `Rule` of its own, so that another (a statistical one) can take its place.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from storage.scheme import ObviousCase
from training.judge.evaluate import Answers, Examples, Model, evaluate, examples
from training.judge.metrics import score


class GatePolicy(BaseModel):
    """What a candidate must show."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_phrasebank_loss: float = Field(
        default=0.02, ge=0.0, le=0.2, description="How much macro-F1 may be lost on the PhraseBank test rows."
    )
    min_audit_rows: int = Field(
        default=50, ge=1, le=100_000, description="With fewer answered audit rows nothing is promoted."
    )


class Check(BaseModel):
    """One condition: the value that was measured, what it had to reach, and the sentence a person reads."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: float
    threshold: float
    passed: bool
    why: str


class Verdict(BaseModel):
    """The decision with everything that it stands on; JSON-able, for reports and the registry."""

    model_config = ConfigDict(frozen=True)

    promoted: bool
    reason: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Evaluations:
    """One model's answers on each set of rows; `audit` and `phrasebank` may be empty."""

    audit: Answers
    phrasebank: Answers
    obvious: Answers


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and the answers it came from, so that reports need not run a model again."""

    verdict: Verdict
    champion: Evaluations | None
    candidate: Evaluations


Rule = Callable[[Evaluations | None, Evaluations, GatePolicy], Verdict]
"""Champion (None before the first), candidate and policy become a verdict."""


def point_estimates(champion: Evaluations | None, candidate: Evaluations, policy: GatePolicy) -> Verdict:
    """Better in macro-F1 on the audit slice, not much worse on the PhraseBank, and sound in itself.

    The absolute conditions hold for a first champion too. They use the PhraseBank test rows, which are there before
    anyone has answered an audit, and the audit slice once it is large enough.
    """
    checks = [_obvious(candidate), _beats_commonest("PhraseBank test rows", candidate.phrasebank)]
    enough = len(candidate.audit) >= policy.min_audit_rows
    if enough:
        checks.append(_beats_commonest("audit slice", candidate.audit))
    if champion is not None:
        checks.append(_enough_audit(len(candidate.audit), policy))
        if enough:
            checks.append(_better(champion.audit, candidate.audit))
        checks.append(_no_loss(champion.phrasebank, candidate.phrasebank, policy))
    failed = [check for check in checks if not check.passed]
    passed = "it is the first champion and sound" if champion is None else "every condition holds"
    return Verdict(promoted=not failed, reason="; ".join(check.why for check in failed) or passed, checks=tuple(checks))


def judge(
    champion: Model | None,
    candidate: Model,
    audit: Examples,
    phrasebank: Examples,
    obvious: Sequence[ObviousCase],
    policy: GatePolicy,
    *,
    rule: Rule = point_estimates,
) -> Judgement:
    """Run both models on the audit slice, the PhraseBank test rows and the obvious cases, and decide by `rule`."""
    certain = examples((case.text, case.label) for case in obvious)
    of_champion = None if champion is None else _run(champion, audit, phrasebank, certain)
    of_candidate = _run(candidate, audit, phrasebank, certain)
    return Judgement(rule(of_champion, of_candidate, policy), of_champion, of_candidate)


def _run(model: Model, audit: Examples, phrasebank: Examples, obvious: Examples) -> Evaluations:
    return Evaluations(
        audit=evaluate(model, audit), phrasebank=evaluate(model, phrasebank), obvious=evaluate(model, obvious)
    )


def _obvious(candidate: Evaluations) -> Check:
    answers = candidate.obvious
    wrong = [
        f"{text!r} was called {said}"
        for text, truth, said in zip(answers.texts, answers.truth, answers.predicted, strict=True)
        if said != truth
    ]
    right = len(answers) - len(wrong)
    why = f"{right} of {len(answers)} obvious cases are right"
    return Check(
        name="obvious cases",
        value=right,
        threshold=len(answers),
        passed=not wrong,
        why=f"{why}: {', '.join(wrong)}" if wrong else why,
    )


def _beats_commonest(where: str, answers: Answers) -> Check:
    """Macro-F1 against always answering the rows' commonest label.

    Macro-F1 and not accuracy: where three quarters of the rows have one label, saying that every time is hard to beat
    in accuracy and useless, and a model that finds the rare labels can be below it.
    """
    name = f"better than the commonest label on the {where}"
    if not len(answers):
        return Check(name=name, value=0.0, threshold=0.0, passed=False, why=f"there are no {where} to judge by")
    commonest = max(sorted(Counter(answers.truth).items()), key=lambda item: item[1])[0]
    floor = score(answers.truth, [commonest] * len(answers), answers.labels).macro_f1
    value = answers.scores().macro_f1
    passed = value > floor
    why = (
        f"macro-F1 {value:.3f} on the {where} is {'above' if passed else 'not above'} the {floor:.3f} "
        f"of always answering {commonest}"
    )
    return Check(name=name, value=value, threshold=floor, passed=passed, why=why)


def _enough_audit(rows: int, policy: GatePolicy) -> Check:
    passed = rows >= policy.min_audit_rows
    why = f"{rows} answered audit rows of at least {policy.min_audit_rows}"
    if not passed:
        why = f"not enough evidence: {why}; run `finloop audit` and answer its tasks"
    return Check(name="audit rows", value=rows, threshold=policy.min_audit_rows, passed=passed, why=why)


def _better(champion: Answers, candidate: Answers) -> Check:
    difference = candidate.against(champion)
    before, after = champion.scores().macro_f1, candidate.scores().macro_f1
    passed = after > before
    moved = "rises" if passed else "does not rise"
    why = (
        f"macro-F1 on {len(candidate)} audit rows {moved}: {before:.3f} to {after:.3f} "
        f"(difference {difference.macro_f1:+.3f}, 95 % interval {difference.low:+.3f} to {difference.high:+.3f})"
    )
    return Check(name="better on the audit slice", value=after, threshold=before, passed=passed, why=why)


def _no_loss(champion: Answers, candidate: Answers, policy: GatePolicy) -> Check:
    name = "PhraseBank kept"
    if not len(candidate):
        return Check(name=name, value=0.0, threshold=0.0, passed=False, why="there are no PhraseBank test rows")
    before, after = champion.scores().macro_f1, candidate.scores().macro_f1
    threshold = before - policy.max_phrasebank_loss
    passed = after >= threshold
    why = (
        f"macro-F1 on {len(candidate)} PhraseBank test rows goes from {before:.3f} to {after:.3f}, "
        f"{'within' if passed else 'beyond'} the loss of {policy.max_phrasebank_loss:.3f} that is allowed"
    )
    return Check(name=name, value=after, threshold=threshold, passed=passed, why=why)
