"""Which texts are reserved."""

from concurrent.futures import ThreadPoolExecutor

from labeling.ask.batch import choose_audit
from storage.records import Prediction, Purpose, Text
from storage.text import text_id
from tests.fixtures_labeling import NOON, PLAIN, VERSION, LabelStore
from tests.schemes import named


def test_the_lowest_margins_are_asked_first(label_store: LabelStore) -> None:
    texts = label_store.ingest(20)
    batch = label_store.choose(5)
    assert {task.text_id for task in batch.tasks} == {text.text_id for text in texts[:5]}
    assert {task.purpose for task in batch.tasks} == {Purpose.SELECT}
    assert all(task.prediction is not None for task in batch.tasks)


def test_each_text_carries_its_reason_and_its_place(label_store: LabelStore) -> None:
    texts = label_store.ingest(20)
    batch = label_store.choose(5)
    ranked = sorted(batch.tasks, key=lambda task: task.worth or 0)
    assert [task.text_id for task in ranked] == [text.text_id for text in texts[:5]]
    assert [task.worth for task in ranked] == [1, 2, 3, 4, 5]
    for rank, task in enumerate(ranked, start=1):
        assert task.reason is not None
        assert (task.reason["strategy"], task.reason["rank"], task.reason["of"]) == ("margin", rank, 20)


def test_a_random_share_comes_from_all_texts_and_says_so(label_store: LabelStore) -> None:
    texts = label_store.ingest(300)
    batch = label_store.choose(40, rules=PLAIN.model_copy(update={"random_share": 0.5}), uncertain=40)
    drawn = {task.text_id for task in batch.tasks if task.reason and task.reason["kind"] == "random"}
    assert len(drawn) == 20
    assert drawn - {text.text_id for text in texts[:40]}, "the sample reaches beyond the texts of lowest margin"


def test_what_was_left_out_is_counted_by_reason(label_store: LabelStore) -> None:
    label_store.ingest(4)
    label_store.choose(2)
    for number in range(3):
        put(label_store, f"A brewery opens site {number}", 0.5)
    assert label_store.choose(5).left_out == {"asked about before": 2, "copy of another text": 2}


def test_an_audit_task_has_a_place_and_no_reason(label_store: LabelStore) -> None:
    label_store.ingest(5, audit=True)
    tasks = choose_audit(label_store.texts, label_store.tasks, 5, seed=1).tasks
    drawn = [text.text_id for text in label_store.texts.random_audit(1)]
    assert [task.text_id for task in sorted(tasks, key=lambda task: task.worth or 0)] == drawn
    assert {task.reason for task in tasks} == {None}


def test_a_text_is_never_reserved_twice(label_store: LabelStore) -> None:
    texts = label_store.ingest(10)
    first = label_store.choose(6)
    second = label_store.choose(6)
    assert len(second.tasks) == 4
    assert sorted(task.text_id for task in first.tasks + second.tasks) == sorted(text.text_id for text in texts)


def test_scores_of_another_version_do_not_count(label_store: LabelStore) -> None:
    label_store.ingest(5)
    assert label_store.choose(5, "8").tasks == ()


def test_audit_texts_are_never_selected(label_store: LabelStore) -> None:
    label_store.ingest(5, audit=True)
    assert label_store.choose(5).tasks == ()


def test_audit_tasks_carry_no_prediction(label_store: LabelStore) -> None:
    label_store.ingest(5, audit=True)
    label_store.ingest(5)
    batch = choose_audit(label_store.texts, label_store.tasks, 5, seed=1)
    assert len(batch.tasks) == 5
    assert {(task.purpose, task.prediction) for task in batch.tasks} == {(Purpose.AUDIT, None)}


def test_selects_that_run_at_once_share_nothing_and_each_gets_its_size(label_store: LabelStore) -> None:
    label_store.ingest(700)
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: label_store.choose(150), range(4)))
    assert [len(batch.tasks) for batch in batches] == [150] * 4
    assert len({task.text_id for batch in batches for task in batch.tasks}) == 600


def put(store: LabelStore, words: str, margin: float, *, audit: bool = False) -> None:
    text = Text(text_id(words), words, "feed", audit, NOON)
    store.texts.add([text])
    said = Prediction("neutral", named(0.3, 0.4, 0.3), named(0.0, 0.1, 0.0), 0.4, margin, VERSION, NOON)
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
    first = label_store.choose(10).tasks
    assert sorted(task.text[:9] for task in first) == ["A brewery", "Quarterly"]
    assert label_store.choose(10).tasks == ()


def test_one_of_the_short_copies_that_differ_in_numbers_and_links_is_asked_at_a_time(label_store: LabelStore) -> None:
    for number in range(30):
        put(label_store, f"${number:03d}X up {number * 7919} %, see http://t.co/{number * 104729}", 0.001)
    put(label_store, "A brewery opens its third site in the north", 0.5)
    first = label_store.choose(10).tasks
    assert sorted(task.text[:9] for task in first)[1:] == ["A brewery"]
    assert len(label_store.choose(10).tasks) == 1
