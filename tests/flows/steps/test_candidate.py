"""What a retrain is made of: each step may be repeated, and only what is new is trained on."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.artifacts import described
from flows.intents import Deploy, Promote, read
from flows.steps.asking import announce
from flows.steps.candidate import (
    Candidate,
    audit_slice,
    build_dataset,
    champion_of,
    judge_candidate,
    recipe_hash,
    record_decision,
    train_candidate,
)
from flows.steps.recover import UNFINISHED
from flows.wiring.parts import Parts
from flows.wiring.policies import RetrainPolicy
from storage.errors import BadInput, UnknownVersion
from storage.models.registry import ModelVersion
from storage.records import DatasetVersion, ParentKind, Purpose, Split
from tests.fixtures_home import POLICY, answer, put_text, register, sentence
from tests.schemes import LABELS
from training.data.merge import MergePolicy
from training.judge.evaluate import Answers
from training.judge.gate import Evaluations, Judgement, Verdict
from training.model.finetune import Recipe

NOBODY = Answers((), (), (), LABELS, np.zeros((0, 3), np.float32))


def built(parts: Parts, policy: RetrainPolicy = POLICY) -> DatasetVersion:
    dataset = build_dataset(parts, policy)
    assert dataset is not None
    return dataset


def judged(version: ModelVersion, promoted: bool = True, champion: ModelVersion | None = None) -> Candidate:
    """A candidate as the gate hands it over; what its models answered does not matter here."""
    verdict = Verdict(promoted=promoted, reason="so it is", checks=())
    return Candidate(version, champion, Judgement(verdict, None, Evaluations(NOBODY, NOBODY, NOBODY)))


def registered(parts: Parts, model: Path, dataset: DatasetVersion) -> ModelVersion:
    return register(parts, model, dataset.version, recipe_hash(parts, POLICY))


def judged_dataset(parts: Parts, model: Path, promoted: bool = True) -> DatasetVersion:
    """The newest dataset with a model that was judged."""
    dataset = built(parts)
    record_decision(parts, judged(registered(parts, model, dataset), promoted), dataset)
    return dataset


@contextmanager
def of_seed(parts: Parts, folder: Path, lines: list[str] | None = None) -> Iterator[Parts]:
    """The same home with other seed data, whose lines are written first where they are given."""
    if lines is not None:
        folder.mkdir(exist_ok=True)
        (folder / "Sentences_50Agree.txt").write_text("\n".join(lines) + "\n", encoding="latin-1")
    made = Parts(parts.settings.model_copy(update={"seed_data": str(folder)}))
    yield made
    made.close()


def lines_of(parts: Parts) -> list[str]:
    return [f"{row.text}@{row.label}" for row in parts.seed.rows]


def given_up(parts: Parts, key: str, watermark: int) -> None:
    """As sync notes it after its last attempt."""
    parts.problems.note(f"{UNFINISHED}:{key}", UNFINISHED, "3 runs ended without a verdict", watermark=watermark)


def troubled(parts: Parts) -> list[str]:
    return [entry.key for entry in parts.outbox.troubled()] + [problem.key for problem in parts.problems.open()]


def intended(parts: Parts) -> list[object]:
    return [read(entry) for entry in parts.outbox.open()]


def test_the_first_dataset_is_the_seed_data_alone(parts: Parts) -> None:
    dataset = built(parts)
    assert {row.origin for row in dataset.rows} == {"phrasebank"}
    assert {row.split for row in dataset.rows} == set(Split)
    assert dataset.label_watermark == 0
    seed, labels = dataset.parents
    assert (seed.kind, seed.hash, seed.policy) == (ParentKind.PHRASEBANK, parts.seed.sha256, POLICY.merge.hash())
    assert (labels.kind, labels.origin, labels.policy) == (ParentKind.LABELS, "label", POLICY.merge.hash())


@pytest.mark.parametrize("promoted", [True, False])
def test_nothing_is_new_after_a_verdict_whatever_it_was(parts: Parts, tiny_model: Path, promoted: bool) -> None:
    judged_dataset(parts, tiny_model, promoted)
    assert build_dataset(parts, POLICY) is None


def test_a_new_label_makes_a_new_dataset_that_holds_it(parts: Parts, tiny_model: Path) -> None:
    before = judged_dataset(parts, tiny_model)
    text_id = answer(parts, sentence(1, "sharply dropped"), "negative")
    after = built(parts)
    assert after.version != before.version
    (row,) = set(after.rows) - set(before.rows)
    assert (row.text_id, row.label, row.origin) == (text_id, "negative", "label")
    assert after.label_watermark == parts.labels.watermark()


def test_a_dataset_without_a_verdict_comes_first_whatever_was_labelled_since(parts: Parts) -> None:
    unfinished = built(parts)
    answer(parts, sentence(1, "sharply dropped"))
    assert built(parts).version == unfinished.version


def test_labels_that_arrive_during_a_retrain_lead_to_another(parts: Parts, tiny_model: Path) -> None:
    in_training = built(parts)
    ids = {answer(parts, sentence(index, "sharply dropped")) for index in range(parts.settings.retrain_after)}
    assert announce(parts.labels, parts.datasets, parts.outbox, parts.settings.retrain_after)
    record_decision(parts, judged(registered(parts, tiny_model, in_training), promoted=False), in_training)
    assert [intent.key for intent in parts.outbox.open()] == [f"retrain:{in_training.label_watermark}"]
    assert ids <= {row.text_id for row in built(parts).rows}


def test_a_dataset_left_with_other_seed_data_is_passed_over(parts: Parts, tmp_path: Path) -> None:
    left = built(parts)
    with of_seed(parts, tmp_path / "other", lines_of(parts)[:80]) as other:
        after = built(other)
        assert (len(after.rows), after.parents[0].hash) == (80, other.seed.sha256)
        assert built(other).version == after.version
    assert built(parts).version == left.version


def test_a_labelled_csv_takes_the_place_of_the_phrasebank(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("text,label\n" + "".join(f"{row.text},{row.label}\n" for row in parts.seed.rows))
    left = built(parts)
    with closing(Parts(parts.settings.model_copy(update={"seed_data": str(path)}))) as own:
        dataset = built(own)
        assert {row.origin for row in dataset.rows if row.split is Split.TEST} == {"csv"}
        assert (dataset.parents[0].kind, dataset.parents[0].hash) == (ParentKind.CSV, own.seed.sha256)
        assert built(own).version == dataset.version
    assert dataset.version != left.version
    assert {row.text_id: row.split for row in dataset.rows} == {row.text_id: row.split for row in left.rows}


def test_a_dataset_left_with_another_merge_policy_is_passed_over(parts: Parts) -> None:
    left = built(parts)
    text_id = answer(parts, sentence(1, "sharply dropped"))
    other = POLICY.model_copy(update={"merge": MergePolicy(label_validation_share=0.4)})
    after = built(parts, other)
    assert after.version != left.version
    assert text_id in {row.text_id for row in after.rows}


def test_a_dataset_of_the_same_rows_is_left_with_the_policy_of_now(parts: Parts) -> None:
    left, other = built(parts), POLICY.model_copy(update={"merge": MergePolicy(salt="another")})
    assert built(parts, other).version == left.version
    answer(parts, sentence(1, "sharply dropped"))
    assert built(parts, other).version == left.version


def test_a_dataset_that_cannot_be_trained_on_is_refused_and_the_mended_seed_data_are_taken(
    parts: Parts, tmp_path: Path
) -> None:
    whole, folder = lines_of(parts), tmp_path / "own"
    with of_seed(parts, folder, whole[:31:30]) as small:
        with pytest.raises(BadInput, match=r"train and . validation rows \(FINLOOP_SEED_DATA\)"):
            build_dataset(small, POLICY)
        assert (small.datasets.summaries(), small.datasets.splits()) == ([], {})
    with of_seed(parts, folder, whole) as mended:
        assert len(built(mended).rows) == len(whole)


def test_labels_that_change_no_row_are_read_and_not_counted_as_new_for_ever(parts: Parts, tiny_model: Path) -> None:
    judged_dataset(parts, tiny_model)
    answer(parts, sentence(1, "whatever"), label=None)
    assert parts.labels.watermark() > parts.datasets.watermark()
    assert build_dataset(parts, POLICY) is None
    assert parts.labels.watermark() == parts.datasets.watermark()


def test_another_recipe_is_something_new(parts: Parts, tiny_model: Path) -> None:
    dataset = judged_dataset(parts, tiny_model)
    other = POLICY.model_copy(update={"recipe": Recipe(epochs=2)})
    assert built(parts, other).version == dataset.version


def test_nothing_near_an_audit_text_trains_answered_or_not(parts: Parts) -> None:
    known = sentence(1, "shares jumped after the record order was announced in the morning")
    put_text(parts, known, audit=True)
    near = answer(parts, known + " today")
    answered_audit = sentence(2, "profit warning hit the shares of the company late in the evening")
    answer(parts, answered_audit, "negative", Purpose.AUDIT)
    also_near = answer(parts, answered_audit + " again")
    far = answer(parts, sentence(3, "dividend"))
    dataset = built(parts)
    in_dataset = {row.text_id for row in dataset.rows}
    assert far in in_dataset
    assert near not in in_dataset and also_near not in in_dataset
    assert parts.datasets.load(dataset.version).dropped["near an audit text"] >= 2
    assert " dropped (near an audit text)" in described(dataset, [])


def test_a_text_keeps_its_split_for_ever(parts: Parts, tiny_model: Path) -> None:
    before = {row.text_id: row.split for row in judged_dataset(parts, tiny_model).rows}
    for index in range(5):
        answer(parts, sentence(index, "sharply dropped"))
    after = {row.text_id: row.split for row in built(parts).rows}
    assert {text_id: after[text_id] for text_id in before} == before


def test_the_base_model_is_part_of_what_names_a_candidate(parts: Parts) -> None:
    other = Parts(parts.settings.model_copy(update={"base_model": "minilm"}))
    assert recipe_hash(parts, POLICY) == recipe_hash(parts, POLICY) != recipe_hash(other, POLICY)
    assert recipe_hash(parts, POLICY) != recipe_hash(parts, POLICY.model_copy(update={"recipe": Recipe()}))


def test_a_training_is_done_once_and_leaves_only_its_version(parts: Parts) -> None:
    dataset = built(parts)
    before = set(parts.settings.home.iterdir())
    told: list[float] = []
    version = train_candidate(parts, dataset, POLICY, lambda share, words: told.append(share))
    again = train_candidate(parts, dataset, POLICY, lambda share, words: pytest.fail("it is trained again"))
    assert again.version == version.version
    assert [one.version for one in parts.registry.versions()] == [version.version]
    assert version.manifest.dataset_version == dataset.version
    assert version.manifest.recipe_hash == recipe_hash(parts, POLICY)
    assert told[-1] == 1.0
    assert {path.name for path in set(parts.settings.home.iterdir()) - before} <= {"models"}


def test_a_training_that_fails_leaves_nothing(parts: Parts) -> None:
    dataset = built(parts)
    before = set(parts.settings.home.iterdir())

    class Pulled(Exception):
        pass

    def unplug(share: float, words: str) -> None:
        raise Pulled

    with pytest.raises(Pulled):
        train_candidate(parts, dataset, POLICY, unplug)
    assert set(parts.settings.home.iterdir()) - before <= {parts.settings.home / "models"}
    assert parts.registry.versions() == []
    assert built(parts).version == dataset.version


def test_champion_and_candidate_are_run_on_the_same_rows(parts: Parts, tiny_model: Path) -> None:
    answer(parts, sentence(7, "asked at random"), "neutral", Purpose.AUDIT)
    champion_data = built(parts)
    champion = registered(parts, tiny_model, champion_data)
    record_decision(parts, judged(champion), champion_data)
    parts.registry.set_alias("champion", champion.version)
    answer(parts, sentence(1, "sharply dropped"))
    dataset = built(parts)
    candidate = register(parts, tiny_model, dataset.version, recipe_hash(parts, POLICY), shift=1.0)
    found = judge_candidate(parts, candidate, dataset, POLICY)
    assert found.champion is not None and found.champion.version == champion.version
    before, after = found.judgement.champion, found.judgement.candidate
    assert before is not None
    assert before.seed.truth == after.seed.truth
    assert len(after.seed) == sum(row.split is Split.TEST for row in dataset.rows)
    assert before.audit.truth == after.audit.truth == ("neutral",)
    assert not np.array_equal(before.audit.probabilities, after.audit.probabilities)


def test_a_champion_is_not_judged_against_itself(parts: Parts, tiny_model: Path) -> None:
    dataset = built(parts)
    version = registered(parts, tiny_model, dataset)
    parts.registry.set_alias("champion", version.version)
    assert judge_candidate(parts, version, dataset, POLICY).champion is None


def test_an_audit_answer_near_a_row_that_trained_is_not_in_the_slice(parts: Parts) -> None:
    dataset = built(parts)
    trained = next(row for row in dataset.rows if row.split is Split.TRAIN)
    tested = next(row for row in dataset.rows if row.split is Split.TEST)
    clean = sentence(8, "never seen")
    for text in (trained.text + " now", tested.text + " now", clean):
        answer(parts, text, "neutral", Purpose.AUDIT)
    answer(parts, sentence(9, "skipped"), None, Purpose.AUDIT)
    answer(parts, sentence(9, "selected"), "neutral", Purpose.SELECT)
    assert set(audit_slice(parts, [dataset.version]).texts) == {tested.text + " now", clean}


def test_a_promoted_candidate_is_the_challenger_and_its_deployment_is_intended_once(
    parts: Parts, tiny_model: Path
) -> None:
    dataset = built(parts)
    candidate = judged(registered(parts, tiny_model, dataset))
    record_decision(parts, candidate, dataset)
    first = intended(parts)
    record_decision(parts, candidate, dataset)
    version = candidate.version.version
    assert first == [Promote(version), Deploy(version, attempt=1)]
    assert intended(parts) == first
    assert parts.registry.aliases() == {"challenger": version}
    assert parts.datasets.unjudged() is None


def test_a_refused_candidate_is_neither_challenger_nor_deployed(parts: Parts, tiny_model: Path) -> None:
    dataset = judged_dataset(parts, tiny_model, promoted=False)
    assert parts.outbox.open() == []
    assert parts.registry.aliases() == {}
    assert parts.datasets.unjudged() is None
    verdict = parts.registry.versions()[0].verdict
    assert verdict is not None
    assert (verdict["promoted"], verdict["reason"], verdict["dataset"]) == (False, "so it is", dataset.version)


def test_a_verdict_says_which_champion_was_met(parts: Parts, tiny_model: Path) -> None:
    champion = register(parts, tiny_model, "other data")
    dataset = built(parts)
    candidate = judged(registered(parts, tiny_model, dataset), champion=champion)
    record_decision(parts, candidate, dataset)
    verdict = parts.registry.resolve(candidate.version.version).verdict
    assert verdict is not None and verdict["champion"] == champion.version


def test_a_run_that_dies_between_the_intents_and_the_verdict_is_finished_by_the_next(
    parts: Parts, tiny_model: Path
) -> None:
    dataset = built(parts)
    candidate = judged(registered(parts, tiny_model, dataset))
    missing = replace(dataset, version="not saved")
    with pytest.raises(UnknownVersion, match="not saved"):
        record_decision(parts, candidate, missing)
    assert {intent.kind for intent in parts.outbox.open()} == {Promote.kind, Deploy.kind}
    assert built(parts).version == dataset.version
    record_decision(parts, candidate, dataset)
    assert len(parts.outbox.open()) == 2
    assert build_dataset(parts, POLICY) is None


def test_a_verdict_ends_the_trouble_of_the_trainings_that_it_makes_up_for(parts: Parts, tiny_model: Path) -> None:
    given_up(parts, "0", 0)  # labels since change 0, which led to no dataset
    answer(parts, sentence(1, "sharply dropped"))
    dataset = built(parts)
    given_up(parts, dataset.version[:16], dataset.label_watermark)
    given_up(parts, "left with another", dataset.label_watermark)
    record_decision(parts, judged(registered(parts, tiny_model, dataset), promoted=False), dataset)
    assert troubled(parts) == []


def test_trouble_that_a_verdict_does_not_end_stays(parts: Parts, tiny_model: Path) -> None:
    dataset = built(parts)
    given_up(parts, f"{dataset.label_watermark}", dataset.label_watermark)  # labels that came since
    given_up(parts, "newer", dataset.label_watermark + 1)
    parts.outbox.intend(away := Deploy("7", attempt=1))
    parts.outbox.failed(away, "Prefect is away")
    before = troubled(parts)
    record_decision(parts, judged(registered(parts, tiny_model, dataset)), dataset)
    assert troubled(parts) == before


def test_labels_that_lead_back_to_a_judged_dataset_end_the_trouble_over_them(parts: Parts, tiny_model: Path) -> None:
    judged_dataset(parts, tiny_model)
    given_up(parts, "0", 0)
    answer(parts, sentence(1, "whatever"), label=None)
    assert build_dataset(parts, POLICY) is None
    assert troubled(parts) == []


def test_there_is_no_champion_before_the_first(parts: Parts, tiny_model: Path) -> None:
    assert champion_of(parts) is None
    version = register(parts, tiny_model)
    parts.registry.set_alias("champion", version.version)
    found = champion_of(parts)
    assert found is not None and found.version == version.version
