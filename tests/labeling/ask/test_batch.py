"""Which texts are reserved."""

from concurrent.futures import ThreadPoolExecutor

from labeling.ask.batch import choose, choose_audit
from storage.records import Purpose
from tests.fixtures_labeling import VERSION, LabelStore


def test_the_lowest_margins_are_asked_first(label_store: LabelStore) -> None:
    texts = label_store.ingest(20)
    batch = choose(label_store.texts, label_store.tasks, VERSION, 5)
    assert {task.text_id for task in batch.tasks} == {text.text_id for text in texts[:5]}
    assert {task.purpose for task in batch.tasks} == {Purpose.SELECT}
    assert all(task.prediction is not None for task in batch.tasks)


def test_a_text_is_never_reserved_twice(label_store: LabelStore) -> None:
    texts = label_store.ingest(10)
    first = choose(label_store.texts, label_store.tasks, VERSION, 6)
    second = choose(label_store.texts, label_store.tasks, VERSION, 6)
    assert len(second.tasks) == 4
    assert sorted(task.text_id for task in first.tasks + second.tasks) == sorted(text.text_id for text in texts)


def test_scores_of_another_version_do_not_count(label_store: LabelStore) -> None:
    label_store.ingest(5)
    assert choose(label_store.texts, label_store.tasks, "8", 5).tasks == ()


def test_audit_texts_are_never_selected(label_store: LabelStore) -> None:
    label_store.ingest(5, audit=True)
    assert choose(label_store.texts, label_store.tasks, VERSION, 5).tasks == ()


def test_audit_tasks_carry_no_prediction(label_store: LabelStore) -> None:
    label_store.ingest(5, audit=True)
    label_store.ingest(5)
    batch = choose_audit(label_store.texts, label_store.tasks, 5, seed=1)
    assert len(batch.tasks) == 5
    assert {(task.purpose, task.prediction) for task in batch.tasks} == {(Purpose.AUDIT, None)}


def test_selects_that_run_at_once_share_nothing_and_each_gets_its_size(label_store: LabelStore) -> None:
    label_store.ingest(700)
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: choose(label_store.texts, label_store.tasks, VERSION, 150), range(4)))
    assert [len(batch.tasks) for batch in batches] == [150] * 4
    assert len({task.text_id for batch in batches for task in batch.tasks}) == 600
