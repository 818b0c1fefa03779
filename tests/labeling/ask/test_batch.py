"""Which texts are reserved."""

from concurrent.futures import ThreadPoolExecutor

from labeling.ask.batch import choose, choose_audit
from storage.records import Prediction, Purpose, Text
from storage.text import text_id
from tests.fixtures_labeling import NOON, VERSION, LabelStore
from training.data.clusters import near_any


def test_the_lowest_margins_are_asked_first(label_store: LabelStore) -> None:
    texts = label_store.ingest(20)
    batch = choose(label_store.texts, label_store.tasks, VERSION, 5, near_any)
    assert {task.text_id for task in batch.tasks} == {text.text_id for text in texts[:5]}
    assert {task.purpose for task in batch.tasks} == {Purpose.SELECT}
    assert all(task.prediction is not None for task in batch.tasks)


def test_a_text_is_never_reserved_twice(label_store: LabelStore) -> None:
    texts = label_store.ingest(10)
    first = choose(label_store.texts, label_store.tasks, VERSION, 6, near_any)
    second = choose(label_store.texts, label_store.tasks, VERSION, 6, near_any)
    assert len(second.tasks) == 4
    assert sorted(task.text_id for task in first.tasks + second.tasks) == sorted(text.text_id for text in texts)


def test_scores_of_another_version_do_not_count(label_store: LabelStore) -> None:
    label_store.ingest(5)
    assert choose(label_store.texts, label_store.tasks, "8", 5, near_any).tasks == ()


def test_audit_texts_are_never_selected(label_store: LabelStore) -> None:
    label_store.ingest(5, audit=True)
    assert choose(label_store.texts, label_store.tasks, VERSION, 5, near_any).tasks == ()


def test_audit_tasks_carry_no_prediction(label_store: LabelStore) -> None:
    label_store.ingest(5, audit=True)
    label_store.ingest(5)
    batch = choose_audit(label_store.texts, label_store.tasks, 5, seed=1)
    assert len(batch.tasks) == 5
    assert {(task.purpose, task.prediction) for task in batch.tasks} == {(Purpose.AUDIT, None)}


def test_selects_that_run_at_once_share_nothing_and_each_gets_its_size(label_store: LabelStore) -> None:
    label_store.ingest(700)
    with ThreadPoolExecutor(4) as pool:
        batches = list(
            pool.map(lambda _: choose(label_store.texts, label_store.tasks, VERSION, 150, near_any), range(4))
        )
    assert [len(batch.tasks) for batch in batches] == [150] * 4
    assert len({task.text_id for batch in batches for task in batch.tasks}) == 600


def put(store: LabelStore, words: str, margin: float, *, audit: bool = False) -> None:
    text = Text(text_id(words), words, "feed", audit, NOON)
    store.texts.add([text])
    said = Prediction("neutral", {"neutral": 1.0}, {"neutral": 0.0}, 0.4, margin, VERSION, NOON)
    store.texts.record_predictions([(text.text_id, said)])


def test_one_text_of_a_near_duplicate_group_is_asked_and_none_near_the_audit(label_store: LabelStore) -> None:
    for number in range(600):
        letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
        put(label_store, f"Quarterly dividend of the harbour operator was raised again, notice {letters}", 0.001)
        put(
            label_store,
            f"The airline cancelled its orders of new aircraft, part {letters}",
            0.002,
            audit=not number,
        )
    put(label_store, "A brewery opens its third site in the north", 0.5)
    first = choose(label_store.texts, label_store.tasks, VERSION, 10, near_any).tasks
    assert sorted(task.text[:9] for task in first) == ["A brewery", "Quarterly"]
    assert choose(label_store.texts, label_store.tasks, VERSION, 10, near_any).tasks == ()


def test_one_of_the_short_copies_that_differ_in_numbers_and_links_is_asked_at_a_time(label_store: LabelStore) -> None:
    for number in range(30):
        put(label_store, f"${number:03d}X up {number * 7919} %, see http://t.co/{number * 104729}", 0.001)
    put(label_store, "A brewery opens its third site in the north", 0.5)
    first = choose(label_store.texts, label_store.tasks, VERSION, 10, near_any).tasks
    assert sorted(task.text[:9] for task in first)[1:] == ["A brewery"]
    assert len(choose(label_store.texts, label_store.tasks, VERSION, 10, near_any).tasks) == 1
