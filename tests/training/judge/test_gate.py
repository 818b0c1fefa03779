"""When a candidate may be served. The models are answer keys with mistakes: what is judged is the gate, not a BERT."""

import subprocess
import sys
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from storage.models.verdict import Decision
from tests.schemes import LABELS, SENTIMENT
from training.judge.evaluate import Examples
from training.judge.gate import GatePolicy, Judgement, Ruling, judge
from training.judge.metrics import score
from training.model.classifier import Predicted, softmax

POSITIVE, NEUTRAL, NEGATIVE = LABELS
OBVIOUS = SENTIMENT.obvious
PROMOTE = Decision.PROMOTE


class Key:
    """Answers from a table, and counts how often it was asked for each text."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self.table = {case.text: case.label for case in OBVIOUS} | dict(table)
        self.asked: list[str] = []

    def predict(self, texts: Sequence[str], batch_size: int = 32) -> Predicted:
        self.asked += texts
        logits = np.zeros((len(texts), 3), dtype=np.float32)
        for row, text in enumerate(texts):
            logits[row, LABELS.index(self.table[text])] = 5.0
        return Predicted(LABELS, logits, softmax(logits), np.zeros(len(logits), dtype=bool))


def rows(name: str, n: int) -> Examples:
    return Examples(tuple(f"{name} {number}" for number in range(n)), tuple(LABELS[number % 3] for number in range(n)))


AUDIT, BANK = rows("audit", 90), rows("bank", 300)


def model(audit_wrong: int = 0, bank_wrong: int = 0, **changed: str) -> Key:
    """Right everywhere but on the first rows of each set, where it says the next label."""
    table = dict(changed)
    for given, wrong in ((AUDIT, audit_wrong), (BANK, bank_wrong)):
        for number, (text, truth) in enumerate(zip(given.texts, given.truth, strict=True)):
            table[text] = LABELS[(LABELS.index(truth) + 1) % 3] if number < wrong else truth
    return Key(table)


def ruling(champion: Key | None, candidate: Key, audit: Examples = AUDIT, policy: GatePolicy | None = None) -> Ruling:
    return judge(champion, candidate, audit, BANK, OBVIOUS, policy or GatePolicy()).ruling


def failed(found: Ruling) -> list[str]:
    return [check.name for check in found.checks if not check.passed]


def test_a_candidate_that_is_better_on_the_audit_and_keeps_the_seed_data_is_promoted() -> None:
    found = ruling(model(audit_wrong=30), model(audit_wrong=29))
    assert found.decision is PROMOTE
    assert failed(found) == []


@pytest.mark.parametrize("wrong", [30, 31])
def test_a_candidate_that_is_not_better_on_the_audit_is_refused(wrong: int) -> None:
    found = ruling(model(audit_wrong=30), model(audit_wrong=wrong))
    assert found.decision is Decision.REFUSE
    assert failed(found) == ["better on the audit slice"]
    assert "does not rise" in found.reason


@pytest.mark.parametrize(("lost", "promoted"), [(5, True), (6, True), (7, False)])
def test_at_most_two_points_may_be_lost_on_the_seed_data(lost: int, promoted: bool) -> None:
    """300 balanced rows, mistakes spread evenly over labels: a row is a third of a point."""
    found = ruling(model(audit_wrong=30), model(audit_wrong=0, bank_wrong=lost))
    assert found.decision is (PROMOTE if promoted else Decision.REFUSE)
    assert failed(found) == ([] if promoted else ["seed data kept"])


def test_few_audit_rows_are_no_evidence_and_the_cure_is_named() -> None:
    few = Examples(AUDIT.texts[:49], AUDIT.truth[:49])
    found = ruling(model(audit_wrong=30), model(), audit=few)
    assert found.decision is Decision.UNDECIDED
    assert failed(found) == ["audit rows"]
    assert "finloop audit" in found.reason
    assert ruling(model(audit_wrong=30), model(), audit=few, policy=GatePolicy(min_audit_rows=49)).decision is PROMOTE


def test_few_audit_rows_leave_nothing_undecided_where_another_check_failed() -> None:
    few = Examples(AUDIT.texts[:49], AUDIT.truth[:49])
    found = ruling(model(), model(bank_wrong=7), audit=few)
    assert failed(found) == ["audit rows", "seed data kept"]
    assert found.decision is Decision.REFUSE


def test_a_first_champion_needs_no_audit_but_must_be_sound() -> None:
    nothing = Examples((), ())
    assert ruling(None, model(), audit=nothing).decision is PROMOTE
    always = Key(dict.fromkeys([*AUDIT.texts, *BANK.texts], NEUTRAL))
    found = ruling(None, always, audit=nothing)
    assert failed(found) == ["better than the commonest label on the test rows of the seed data"]
    assert judge(None, model(), nothing, nothing, OBVIOUS, GatePolicy()).ruling.decision is Decision.REFUSE


def test_a_candidate_that_always_answers_the_commonest_label_is_refused() -> None:
    always = Key(dict.fromkeys([*AUDIT.texts, *BANK.texts], POSITIVE))
    worse = Key({text: LABELS[(LABELS.index(truth) + 1) % 3] for given in (AUDIT, BANK)
                 for text, truth in zip(given.texts, given.truth, strict=True)})  # fmt: skip
    found = ruling(worse, always)
    assert failed(found) == ["better than the commonest label on the test rows of the seed data",
                             "better than the commonest label on the audit slice"]  # fmt: skip


@pytest.mark.parametrize("champion", [None, model(audit_wrong=30)])
def test_one_obvious_case_wrong_refuses_any_candidate(champion: Key | None) -> None:
    text, truth = OBVIOUS[0].text, OBVIOUS[0].label
    candidate = model()
    candidate.table[text] = NEGATIVE
    found = ruling(champion, candidate)
    assert failed(found) == ["obvious cases"]
    assert text in found.reason
    assert truth == POSITIVE


def test_both_models_are_run_once_on_every_row() -> None:
    champion, candidate = model(audit_wrong=30), model()
    judge(champion, candidate, AUDIT, BANK, OBVIOUS, GatePolicy())
    for judged in (champion, candidate):
        assert sorted(judged.asked) == sorted([*AUDIT.texts, *BANK.texts, *(case.text for case in OBVIOUS)])


def test_the_answers_come_with_the_verdict_and_agree_with_it() -> None:
    found: Judgement = judge(model(audit_wrong=30), model(audit_wrong=3), AUDIT, BANK, OBVIOUS, GatePolicy())
    assert found.champion is not None
    checks = {check.name: check for check in found.ruling.checks}
    better = checks["better on the audit slice"]
    assert better.value == score(AUDIT.truth, found.candidate.audit.predicted, LABELS).macro_f1
    assert better.threshold == found.champion.audit.scores().macro_f1
    assert found.ruling.decision is PROMOTE


def test_there_are_ten_obvious_cases_of_every_label() -> None:
    assert len({case.text for case in OBVIOUS}) == 10
    assert {case.label for case in OBVIOUS} == set(LABELS)


def test_a_policy_is_bounded() -> None:
    for fields in ({"max_seed_loss": -0.01}, {"max_seed_loss": 0.5}, {"min_audit_rows": 0}, {"other": 1}):
        with pytest.raises(ValidationError):
            GatePolicy.model_validate(fields)


def test_the_policies_are_there_without_the_libraries_that_train() -> None:
    """A dashboard's form and the command line need them at every start."""
    code = (
        "import sys, training.judge.gate, training.data.merge, training.model.finetune, training.data.seed\n"
        "print(sorted({'torch', 'transformers', 'matplotlib', 'scipy', 'sklearn'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
