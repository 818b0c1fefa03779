"""The page of a report shows words of strangers as words, loads nothing, and says in a sentence what was found."""

import re

from flows.report_page import MOST_ROWS, page, sentence
from flows.steps.report import Ground, Report
from storage.clock import now
from storage.models.manifest import Manifest
from storage.models.registry import ModelVersion
from tests.schemes import LABELS
from tests.training.judge.evaluations import evaluation
from training.judge.evaluate import Evaluation

SCRIPT = "<script>alert('x')</script>"
RIGHT, WRONG = [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]


def a_version(number: str, base: str = "tiny") -> ModelVersion:
    manifest = Manifest(
        base_model=base, exposed=True, dataset_version="data", recipe={}, recipe_hash="r", metrics={},
        scheme="sentiment", labels=LABELS, created_at=now(),
    )  # fmt: skip
    return ModelVersion(number, now(), (), manifest, None)


def answers(right: int, wrong: int, text: str = "text") -> Evaluation:
    scores = [RIGHT] * right + [WRONG] * wrong
    return evaluation([LABELS[0]] * len(scores), scores, [f"{text} {row}" for row in range(len(scores))])


def a_report(this: Evaluation | None, other: Evaluation | None, exposed: tuple[str, ...] = ()) -> Report:
    known = {"source": [SCRIPT] * (0 if this is None else len(this))}
    ground = Ground("Audit slice", "About.", this, other, {}, known, exposed)
    other_version = None if other is None else a_version("1")
    return Report(a_version("2", SCRIPT), other_version, "today", (ground,), (SCRIPT,))


def test_words_of_strangers_come_out_escaped() -> None:
    html = page(a_report(answers(3, 3, SCRIPT), answers(6, 0, SCRIPT), (SCRIPT,)))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 3 + 4


def test_the_page_loads_nothing() -> None:
    html = page(a_report(answers(3, 3), answers(6, 0)))
    assert all(one.startswith("data:image/png") for one in re.findall(r'(?:src|href)="([^"]*)', html))
    assert "default-src 'none'" in html


def test_rows_that_one_version_alone_has_right_are_counted_and_the_first_are_shown() -> None:
    html = page(a_report(answers(0, MOST_ROWS + 7, "only the other"), answers(MOST_ROWS + 7, 0)))
    assert f"Version 1 has right, version 2 has wrong: {MOST_ROWS + 7}, the first {MOST_ROWS} are shown" in html
    assert "Version 2 has right, version 1 has wrong: 0" in html
    assert html.count("only the other") == MOST_ROWS


def test_the_sentence_says_better_only_where_the_interval_says_so() -> None:
    assert "better than version 1 (" in sentence(a_report(answers(60, 0), answers(30, 30)))
    assert "worse than version 1 (" in sentence(a_report(answers(30, 30), answers(60, 0)))
    assert "do not show" in sentence(a_report(answers(60, 0), answers(59, 1)))
    assert "no other version" in sentence(a_report(answers(5, 1), None))


def test_without_audit_rows_the_page_says_how_to_get_them() -> None:
    assert "<code>finloop audit</code>" in page(a_report(None, None))


def test_exposure_stands_beside_the_scores() -> None:
    exposed = a_report(answers(5, 1), None, ("version 2 (tiny)",))
    assert "already seen labels" in page(exposed) and "perhaps too high" in sentence(exposed)
    assert "already seen labels" not in page(a_report(answers(5, 1), None))
