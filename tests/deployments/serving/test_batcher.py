"""Requests share batches fairly, a caller that leaves costs nothing, and a bad text fails alone."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.serving import batcher
from deployments.serving.batcher import BATCH, SHARE, WAITING, Batcher, Overloaded
from deployments.serving.passes import ModelFails, TextFails
from deployments.serving.swap import Served
from storage.models.manifest import Manifest
from storage.models.registry import ModelVersion
from tests.schemes import LABELS
from training.model.classifier import Predicted

PROBE = ("It is fine.",)


class Panic(BaseException):
    """What a Rust tokenizer raises: no Exception."""


@dataclass
class Scripted:
    """A model whose logits tell the length of a text; it fails as the test says, and can be held."""

    fault: Callable[[Sequence[str]], BaseException | None] = lambda texts: None
    passes: list[list[str]] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)

    def predict(self, texts: Sequence[str]) -> Predicted:
        assert self.go.wait(30)
        self.passes.append(list(texts))
        if (error := self.fault(texts)) is not None:
            raise error
        rows = np.array([[len(text), 0, 0] for text in texts], dtype=np.float32)
        rows[[text == "nan" for text in texts]] = np.nan
        return Predicted(LABELS, rows, rows, np.zeros(len(texts), dtype=bool))

    @property
    def seen(self) -> list[str]:
        return [text for one in self.passes for text in one if text not in PROBE]


def served(model: Scripted, version: str = "1") -> Served:
    manifest = Manifest(
        base_model="none", exposed=False, dataset_version="none", recipe={}, recipe_hash="none", metrics={},
        scheme="sentiment", labels=LABELS, created_at=datetime.now(UTC),
    )  # fmt: skip
    return Served(ModelVersion(version, datetime.now(UTC), (), manifest, None), model, datetime.now(UTC))


@asynccontextmanager
async def batching(*models: Served) -> AsyncIterator[Batcher]:
    """A running batcher that serves the last of `models`, a list that the test may change."""
    made = Batcher(lambda: models[-1], lambda texts, seconds: None, PROBE)
    made.start()
    try:
        yield made
    finally:
        await made.stop()


def run(story: Coroutine[object, object, None]) -> None:
    asyncio.run(asyncio.wait_for(story, 60))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


async def sent(batching: Batcher, *requests: Sequence[str]) -> list[asyncio.Task[batcher.Reply]]:
    """Tasks that ask for these requests, all in the queue."""
    waiting = batching.waiting + sum(map(len, requests))
    tasks = [asyncio.create_task(batching.predict(texts)) for texts in requests]
    await until(lambda: batching.waiting == waiting)
    return tasks


def named(name: str, count: int) -> list[str]:
    return [f"{name}{index}" for index in range(count)]


@given(
    st.lists(st.lists(st.sampled_from(["good", "better", "bad", "nan", "best!"]), min_size=1, max_size=40), max_size=12)
)
@settings(max_examples=60)
def test_exactly_the_requests_with_a_bad_text_fail_and_all_others_are_answered(requests: list[list[str]]) -> None:
    model = Scripted(lambda texts: IndexError("index out of range") if "bad" in texts else None)
    model.go.set()

    async def story() -> None:
        async with batching(served(model)) as made:
            replies = await asyncio.gather(*map(made.predict, requests), return_exceptions=True)
            assert made.waiting == 0 and made.why_failing() is None
        for texts, reply in zip(requests, replies, strict=True):
            if {"bad", "nan"} & set(texts):
                assert isinstance(reply, TextFails) and texts[reply.index] in ("bad", "nan")
            else:
                assert isinstance(reply, batcher.Reply)
                assert reply.predicted.logits[:, 0].tolist() == [len(text) for text in texts]

    run(story())


@pytest.mark.parametrize("error", [IndexError("x"), Panic("index"), MemoryError(), SystemExit(1)])
def test_whatever_a_model_raises_fails_only_the_text_at_fault_and_is_logged_once(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    model = Scripted(lambda texts: error if "bad" in texts else None)
    model.go.set()

    async def story() -> None:
        async with batching(served(model)) as made:
            requests = [*([text] for text in named("text", BATCH)), ["fine", "bad", "fine"]]
            *good, bad = await asyncio.gather(*map(made.predict, requests), return_exceptions=True)
            assert all(isinstance(reply, batcher.Reply) for reply in good)
            assert isinstance(bad, TextFails) and bad.index == 1 and type(error).__name__ in str(bad)

    with caplog.at_level(logging.ERROR):
        run(story())
    assert len(caplog.records) == 1 and caplog.records[0].exc_info is not None
    assert "bad" not in caplog.records[0].getMessage(), "a log is no place for a client's text"


def test_a_batch_too_large_for_the_memory_is_predicted_in_parts() -> None:
    model = Scripted(lambda texts: RuntimeError("CUDA out of memory") if len(texts) > 5 else None)
    model.go.set()

    async def story() -> None:
        async with batching(served(model)) as made:
            reply = await made.predict(named("text", 100))
            assert len(reply.predicted.logits) == 100 and made.why_failing() is None

    run(story())


def test_a_model_that_fails_on_everything_is_said_to_fail_until_it_works_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batcher, "RETRY", 0.01)
    lost = threading.Event()
    lost.set()
    first = Scripted(lambda texts: RuntimeError("the GPU is lost") if lost.is_set() else None)
    second = Scripted()
    models = [served(first)]
    for model in (first, second):
        model.go.set()

    async def story() -> None:
        made = Batcher(lambda: models[-1], lambda texts, seconds: None, PROBE)
        made.start()
        replies = await asyncio.gather(*map(made.predict, [["a"] * 40, ["b"], ["c"]]), return_exceptions=True)
        assert all(isinstance(reply, ModelFails) for reply in replies)
        assert "version 1 fails on every text (RuntimeError)" in str(made.why_failing())
        assert len(first.passes) < 20, "a model that fails is not tried on every text"
        models.append(served(second, "2"))
        assert made.why_failing() is None, "another version is not to blame"
        models.pop()
        assert made.why_failing() is not None
        lost.clear()
        await until(lambda: made.why_failing() is None)
        assert (await made.predict(["d"])).served is models[0]
        await made.stop()

    run(story())


def test_a_caller_that_leaves_costs_no_pass_in_the_queue_and_between_batches() -> None:
    model = Scripted()

    async def story() -> None:
        async with batching(served(model)) as made:
            begun = await sent(made, named("begun", 200))
            waiting = await sent(made, named("queued", 200), ["stays"])
            for task in (*begun, waiting[0]):
                task.cancel()
            await until(lambda: made.waiting == 1)
            model.go.set()
            assert (await waiting[1]).predicted.logits.shape == (1, 3)

    run(story())
    assert model.seen == [*named("begun", BATCH), "stays"], "only the batch that was under way was predicted"


def test_lists_cannot_fill_the_queue_and_single_texts_find_room() -> None:
    model = Scripted()

    async def story() -> None:
        async with batching(served(model)) as made:
            lists = [asyncio.create_task(made.predict(named("list", 256))) for _ in range(20)]
            await until(lambda: sum(task.done() for task in lists) * 256 + made.waiting == 20 * 256)
            refused = [task.exception() for task in lists if task.done()]
            assert refused and all(isinstance(error, Overloaded) for error in refused)
            assert WAITING - 256 * SHARE < made.waiting <= WAITING - 256 * (SHARE - 1)
            single = await sent(made, ["single"])
            model.go.set()
            await single[0]
            batches = [one for one in model.passes if one != list(PROBE)]
            assert len(batches) <= 3, "a single text waits for one batch, not for the lists"
            for task in lists:
                task.cancel()

    run(story())


def test_requests_take_turns_however_many_are_before() -> None:
    model = Scripted()

    async def story() -> None:
        async with batching(served(model)) as made:
            lists = await sent(made, *(named(f"list{index} ", 40) for index in range(2 * BATCH)))
            single = await sent(made, ["single"])
            model.go.set()
            await single[0]
            assert len(model.passes) <= 5
            await asyncio.gather(*lists)

    run(story())
    assert len(model.seen) == len(set(model.seen)) == 2 * BATCH * 40 + 1


def test_a_request_keeps_the_version_that_it_began_with() -> None:
    first, second = Scripted(), Scripted()
    models = [served(first, "1")]

    async def story() -> None:
        made = Batcher(lambda: models[-1], lambda texts, seconds: None, PROBE)
        made.start()
        before = await sent(made, named("before", 100))
        models.append(served(second, "2"))
        after = await sent(made, named("after", 100))
        first.go.set()
        second.go.set()
        assert (await before[0]).served is models[0] and (await after[0]).served is models[1]
        await made.stop()

    run(story())
    assert set(first.seen) == set(named("before", 100)) and set(second.seen) == set(named("after", 100))
