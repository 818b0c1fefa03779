import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, update
from sqlalchemy.exc import IntegrityError

from storage.labels.annotations import Labels, Recorded
from storage.labels.tasks import Tasks
from storage.records import Annotation, AnnotationKey, Label, Purpose, TaskState
from storage.sql.schema import AnnotationRow, LabelRow, TaskRow
from tests.storage.conftest import (
    HERE,
    NOON,
    PROJECT,
    SERVER,
    a_text,
    an_annotation,
    label_of,
    majority,
    state_of,
)

POSITIVE, NEUTRAL, NEGATIVE = "positive", "neutral", "negative"


def test_redelivered_annotation_is_stored_once(labels: Labels, sent: Callable[..., str]) -> None:
    annotation = an_annotation(sent())
    assert labels.record(annotation) == Recorded(new=True, label_changed=True)
    before = labels.get(annotation.text_id)
    assert labels.record(annotation) == Recorded(new=False, label_changed=False)
    assert labels.revisions(annotation.text_id) == [annotation]
    assert labels.get(annotation.text_id) == before


def test_an_older_revision_that_comes_late_changes_no_label(labels: Labels, sent: Callable[..., str]) -> None:
    text_id = sent()
    newer, older = an_annotation(text_id, NEGATIVE, revision=2), an_annotation(text_id, POSITIVE, revision=1)
    labels.record(newer)
    assert labels.record(older) == Recorded(new=True, label_changed=False)
    assert label_of(labels, text_id) == NEGATIVE
    assert labels.current(text_id) == [newer]
    assert labels.revisions(text_id) == [older, newer]


def test_a_deletion_is_final_and_counts_when_it_overtakes_its_creation(
    labels: Labels, tasks: Tasks, sent: Callable[..., str]
) -> None:
    annotation = an_annotation(sent())
    assert labels.bury(annotation.key) == Recorded(new=True, label_changed=False)
    labels.record(annotation)
    labels.record(an_annotation(annotation.text_id, NEGATIVE, revision=9))
    assert labels.bury(annotation.key) == Recorded(new=False, label_changed=False)
    assert label_of(labels, annotation.text_id) is None
    assert labels.current(annotation.text_id) == []
    assert state_of(tasks, annotation.text_id) == TaskState.SENT


def test_a_deletion_takes_the_label_back(labels: Labels, tasks: Tasks, sent: Callable[..., str]) -> None:
    annotation = an_annotation(sent())
    labels.record(annotation)
    assert labels.bury(annotation.key) == Recorded(new=True, label_changed=True)
    assert label_of(labels, annotation.text_id) is None
    assert labels.trainable() == []
    assert state_of(tasks, annotation.text_id) == TaskState.SENT


def test_a_tombstone_is_of_one_server_and_project(labels: Labels, sent: Callable[..., str]) -> None:
    annotation = an_annotation(sent())
    labels.record(annotation)
    labels.bury(AnnotationKey("http://other", PROJECT, annotation.key.annotation_id))
    labels.bury(AnnotationKey(SERVER, PROJECT + 1, annotation.key.annotation_id))
    assert label_of(labels, annotation.text_id) == POSITIVE


def test_a_tombstone_is_of_one_epoch_and_one_text(labels: Labels, sent: Callable[..., str]) -> None:
    """A server that was reset, or set back to a backup, gives a number again."""
    old, new = an_annotation(sent(), number=1), an_annotation(sent(), NEGATIVE, number=1, revision=5)
    after_reset = replace(an_annotation(old.text_id, NEUTRAL, number=1, revision=9), key=replace(old.key, epoch="next"))
    labels.record(old)
    labels.bury(old.key)
    for annotation in (new, after_reset):
        assert labels.record(annotation) == Recorded(new=True, label_changed=True)
    assert labels.current(old.text_id) == [after_reset]
    labels.bury(new.key)  # without a text, the newest annotation of the number is meant
    assert (label_of(labels, old.text_id), label_of(labels, new.text_id)) == (NEUTRAL, None)


def test_a_tombstone_that_came_first_is_of_the_first_annotation_with_its_number(
    labels: Labels, sent: Callable[..., str]
) -> None:
    first, later = an_annotation(sent(), number=1), an_annotation(sent(), number=1, revision=5)
    labels.bury(first.key)
    for annotation in (first, later):
        labels.record(annotation)
    assert (labels.current(first.text_id), labels.current(later.text_id)) == ([], [later])


def test_a_deletion_sends_no_text_that_is_about_to_be_asked_again(
    labels: Labels, tasks: Tasks, sent: Callable[..., str]
) -> None:
    annotation = an_annotation(sent())
    labels.record(annotation)
    labels.bury(annotation.key)
    tasks.mark_missing(HERE, [annotation.task_id])
    tasks.reserve_again([annotation.text_id], "again", "me", timedelta(seconds=-1))
    labels.bury(annotation.key)  # the webhook comes once more
    assert state_of(tasks, annotation.text_id) == TaskState.RESERVED
    assert tasks.take_over("me", timedelta(minutes=1)) == ["again"]


def test_a_task_is_skipped_only_while_every_answer_is_a_skip(
    labels: Labels, tasks: Tasks, sent: Callable[..., str]
) -> None:
    text_id = sent()
    labels.record(an_annotation(text_id, None, number=1))
    assert (state_of(tasks, text_id), labels.trainable()) == (TaskState.SKIPPED, [])
    labels.record(an_annotation(text_id, NEGATIVE, number=2))
    assert (state_of(tasks, text_id), label_of(labels, text_id)) == (TaskState.ANSWERED, NEGATIVE)


def test_annotators_who_disagree_leave_no_label_and_keep_both_answers(labels: Labels, sent: Callable[..., str]) -> None:
    text_id = sent()
    labels.record(an_annotation(text_id, POSITIVE, number=2))
    labels.record(an_annotation(text_id, NEGATIVE, number=1))
    assert label_of(labels, text_id) is None
    assert [answer.key.annotation_id for answer in labels.current(text_id)] == [1, 2]


def test_audit_answers_never_count_as_trainable(labels: Labels, sent: Callable[..., str]) -> None:
    audit, select = sent(Purpose.AUDIT), sent()
    for text_id in (audit, select):
        labels.record(an_annotation(text_id))
    assert [label.text_id for label in labels.trainable()] == [select]
    assert [label.text_id for label in labels.audit()] == [audit]
    assert labels.trainable_since(0) == 1


def test_labels_after_a_watermark_are_those_that_changed(labels: Labels, sent: Callable[..., str]) -> None:
    assert (labels.watermark(), labels.trainable_since(0)) == (0, 0)
    first, second = sent(), sent()
    labels.record(an_annotation(first))
    labels.record(an_annotation(second))
    watermark = labels.watermark()
    labels.record(an_annotation(first))
    labels.record(an_annotation(first, POSITIVE, revision=1))
    assert (labels.watermark(), labels.trainable_since(watermark)) == (watermark, 0)
    labels.record(an_annotation(first, NEGATIVE, revision=2))
    assert labels.trainable_since(watermark) == 1
    assert labels.trainable_since(labels.watermark()) == 0
    assert [label.text_id for label in labels.trainable()] == [second, first]


def test_a_snapshot_holds_the_labels_up_to_its_watermark(labels: Labels, sent: Callable[..., str]) -> None:
    labels.record(an_annotation(sent(Purpose.AUDIT)))
    labels.record(an_annotation(sent()))
    taken = labels.snapshot()
    assert taken.trainable == tuple(labels.trainable())
    assert taken.audit == tuple(labels.audit())
    assert taken.watermark == labels.watermark()


def test_an_answer_to_a_task_that_is_not_ours_stores_nothing(labels: Labels) -> None:
    annotation = an_annotation(a_text().text_id)
    with pytest.raises(IntegrityError):
        labels.record(annotation)
    assert labels.revisions(annotation.text_id) == []


def test_a_crash_before_the_label_settles_leaves_no_annotation(engine: Engine, sent: Callable[..., str]) -> None:
    def power_cut(_: object) -> str | None:
        raise ZeroDivisionError

    annotation = an_annotation(sent())
    with pytest.raises(ZeroDivisionError):
        Labels(engine, power_cut).record(annotation)
    labels = Labels(engine, majority)
    assert labels.revisions(annotation.text_id) == []
    assert labels.record(annotation).new


def test_the_living_annotations_of_a_project_are_its_own(labels: Labels, sent: Callable[..., str]) -> None:
    one, two = sent(), sent()
    kept, updated = an_annotation(one, number=1), an_annotation(two, NEUTRAL, number=2, revision=5)
    for annotation in (kept, updated, an_annotation(two, number=2), an_annotation(two, number=3)):
        labels.record(annotation)
    labels.bury(AnnotationKey(SERVER, PROJECT, 3))
    assert labels.in_project(HERE) == [kept, updated]
    assert labels.in_project(replace(HERE, id=PROJECT + 1)) == labels.in_project(replace(HERE, epoch="e")) == []


def test_a_project_of_ten_thousand_answers_is_read_in_seconds(engine: Engine, labels: Labels, tasks: Tasks) -> None:
    texts = [a_text() for _ in range(10_000)]
    tasks.reserve(texts, Purpose.SELECT, "b", "me", timedelta(minutes=1))
    store_answers(engine, [an_annotation(text.text_id, number=number) for number, text in enumerate(texts)])
    begun = time.monotonic()
    assert len(labels.in_project(HERE)) == 10_000
    assert len(labels.trainable()) == 10_000
    assert labels.trainable_since(9_000) == 999
    assert time.monotonic() - begun < 10.0


def store_answers(engine: Engine, annotations: list[Annotation]) -> None:
    """What 10,000 calls of record would leave behind, without the minute that they take."""
    with engine.begin() as connection:
        connection.execute(
            insert(AnnotationRow),
            [
                {
                    "server": SERVER,
                    "project_id": PROJECT,
                    "epoch": HERE.epoch,
                    "annotation_id": one.key.annotation_id,
                    "updated_at": one.updated_at,
                    "task_id": one.task_id,
                    "text_id": one.text_id,
                    "label": one.label,
                    "annotator": one.annotator,
                    "recorded_at": NOON,
                }
                for one in annotations
            ],
        )
        connection.execute(
            insert(LabelRow),
            [
                {"text_id": one.text_id, "label": one.label, "annotations": 1, "sequence": number, "changed_at": NOON}
                for number, one in enumerate(annotations)
            ],
        )
        connection.execute(update(TaskRow).values(state=TaskState.ANSWERED))


def test_a_label_names_its_text_and_purpose(labels: Labels, tasks: Tasks, sent: Callable[..., str]) -> None:
    text_id = sent(Purpose.AUDIT)
    labels.record(an_annotation(text_id, NEUTRAL))
    task = tasks.get(text_id)
    assert task is not None
    assert labels.get(text_id) == Label(text_id, task.text, Purpose.AUDIT, NEUTRAL, annotations=1, sequence=1)
