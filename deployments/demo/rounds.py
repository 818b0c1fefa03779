"""Runs the demo's rounds: answers are given, an event starts the retrain, and another one the deploy.

The demo only waits for these two runs, because it must show that the loop closes by itself. Where the gate does not
promote the candidate, another round follows.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console

from deployments.cli.status import said_accuracy
from deployments.demo.annotator import annotate
from deployments.demo.client import Client
from deployments.demo.console import Step, Steps
from deployments.supervisor.stack import Stack
from flows.prefect_api.connection import RunFailed
from flows.prefect_api.runs import Run, Runs
from flows.steps.new_labels import count_new
from flows.steps.standing import production_accuracy
from flows.wiring.parts import Parts
from storage.clock import now
from storage.errors import Failed
from storage.labels.projects import Project
from storage.models.registry import ModelVersion
from storage.records import Purpose

SKIP_SHARE = 0.02
"""The share of tasks that the stand-in skips."""

EVENT_DEADLINE = 90.0
LABELS_DEADLINE = 30.0
POLL, SELDOM = 0.25, 1.0
"""Seconds between two queries, and between two about a run that shows progress: on a small machine each query slows
the training."""


class OutOfTexts(Failed):
    """All texts were sent to annotators, and there are still too few labels."""


def asked_for(labels: int) -> int:
    """How many texts to send for this number of labels: more than that, because some are skipped.

    The surplus is the mean number of skips and three standard deviations, because a second select takes long. Tasks
    that are not needed stay open.
    """
    skips = SKIP_SHARE * labels
    return labels + math.ceil(skips + 3 * math.sqrt(skips))


@dataclass
class Round:
    """The result of a round: the judged version, its runs, and the times of the last label and of its first reply."""

    candidate: ModelVersion
    promoted: bool
    runs: dict[str, Run]
    task_seconds: dict[str, float]
    last_label: float
    last_label_at: datetime
    first_reply: float | None = None


@dataclass
class Rounds:
    """The rounds of one demo. Where the answer key `key` is empty, people answer."""

    labels: int
    seed: int
    console: Console
    steps: Steps
    parts: Parts
    stack: Stack
    runs: Runs
    project: Project
    key: Mapping[str, str]

    def until_promoted(self, rounds: int, client: Client) -> Round:
        """Do rounds until one promotes a model, at most `rounds`; returns the last one that reached a verdict.

        Raises OutOfTexts where the first round has too few texts. Where a later one has too few, the rounds end.
        """
        done = self._round(client)
        for _ in range(rounds - 1):
            if done.promoted:
                break
            try:
                self._start_select(asked_for(self.labels))
                done = self._round(client)
            except OutOfTexts as ended:
                self.console.print(f"No further round: {ended}.")
                break
        return done

    def _round(self, client: Client) -> Round:
        began = now()
        with self.steps.step("annotate") as step:
            if self.key:
                self._answer_audit(step)
                self._answer_selected(step)
            else:
                self._await_person(step)
            last_label, last_label_at = time.monotonic(), now()
        with self.steps.step("retrain") as step:
            retrain = started_by_event(self.runs, self.stack, "retrain", began, step)
            candidate = self.parts.registry.versions()[-1]
            verdict = candidate.verdict
            promoted = verdict is not None and verdict.promoted
            step.say(
                f"version {candidate.version}, {verdict.decision.said if verdict else 'not judged'}: {retrain.message}"
            )
        done = Round(
            candidate, promoted, {"retrain": retrain}, self.runs.task_seconds(retrain), last_label, last_label_at
        )
        if promoted:
            with self.steps.step("deploy") as step:
                deploy = started_by_event(self.runs, self.stack, "deploy", last_label_at, step)
                done.runs["deploy"] = deploy
                self._until(lambda: client.traffic.first_reply_of(candidate.version) is not None, LABELS_DEADLINE)
                done.first_reply = client.traffic.first_reply_of(candidate.version)
                step.say(f"version {candidate.version} is served")
                step.took(deploy.seconds)  # the deploy ran while the retrain still measured
        return done

    def _await_person(self, step: Step) -> None:
        """Wait until people have answered enough tasks, however long that takes."""
        self.console.print(f"Please label the tasks at {self.project.url} (the login is in the panel above).")
        pause, watermark = threading.Event(), self.parts.datasets.watermark()
        while True:
            selected = self._open(Purpose.SELECT)
            if (given := self._kept()) >= self.labels:
                return
            self.stack.check()
            audit = len(self.parts.labels.audit())
            step.say(f"waiting for people: {given} of {self.labels} labels to learn from, {audit} audit answers")
            if self.parts.datasets.watermark() != watermark:
                return
            if not selected:
                self._make_up_for(self.labels - given)
            pause.wait(1.0)

    def _answer_audit(self, step: Step) -> None:
        open_tasks = self._key_of(Purpose.AUDIT)
        if not open_tasks:
            return
        self._answer(step, Purpose.AUDIT, open_tasks)
        accuracy = production_accuracy(self.parts.texts, self.parts.labels, self.parts.registry)
        step.say(f"production accuracy {said_accuracy(accuracy)}")
        self.console.print(step.line())

    def _answer_selected(self, step: Step) -> None:
        """Answer until there are enough trainable labels; if more are skipped than expected, select again."""
        watermark, more = self.parts.datasets.watermark(), False
        while (missing := self.labels - self._kept()) > 0:
            if self.parts.datasets.watermark() != watermark:
                break
            if more or not (key := self._key_of(Purpose.SELECT)):
                step.say(f"{missing} labels are missing: selecting as many again")
                self._make_up_for(missing)
                more = False
            else:
                more = not self._answer(step, Purpose.SELECT, key, missing)
        webhooks = sum(self.parts.inbox.counts().values())
        step.say(f"{len(self.parts.labels.trainable())} trainable labels, {webhooks} webhooks")

    def _answer(self, step: Step, purpose: Purpose, key: dict[str, str], limit: int | None = None) -> int:
        """Answer or skip the open tasks of a purpose; `key` has their answers. Returns how many are done."""

        def progress(fraction: float, message: str = "") -> None:
            step.say(f"{purpose} answers: {fraction:4.0%} {message}")
            self.stack.check()

        done = annotate(
            self.parts.studio,
            self.project,
            key,
            self.parts.scheme,
            limit=limit,
            skip_share=SKIP_SHARE,
            seed=self.seed,
            progress=progress,
        )
        given = done.answered + done.skipped

        def arrived() -> bool:
            return len(self._key_of(purpose).keys() & key.keys()) <= len(key) - given

        if not given or not self._until(arrived, LABELS_DEADLINE):
            # Webhooks are hints: a reconciliation finds the answers that they missed.
            step.say("webhooks were lost: reconciling")
            await_run(self.runs, self.stack, self.runs.start("sync", {}), step)
        return given

    def _key_of(self, purpose: Purpose) -> dict[str, str]:
        """The answers from the key to the open tasks of a purpose, by text id."""
        return {text_id: self.key[text_id] for text_id in self._open(purpose) if text_id in self.key}

    def _open(self, purpose: Purpose) -> list[str]:
        """The text ids of the tasks of a purpose that wait for an answer."""
        waiting = self.parts.tasks.open(self.project.server, self.project.id)
        return [task.text_id for task in waiting if task.purpose is purpose]

    def _make_up_for(self, missing: int) -> None:
        before, waiting = self._selected(), set(self._open(Purpose.SELECT))
        self._start_select(missing)
        # A select also sends the texts of deleted tasks again.
        if self._selected() == before and not set(self._open(Purpose.SELECT)) - waiting:
            raise OutOfTexts(
                f"{missing} labels are missing and no text is left to ask about; "
                "give more texts, or smaller --labels and --audit"
            )

    def _start_select(self, size: int) -> None:
        with self.steps.step("select") as step:
            await_run(self.runs, self.stack, self.runs.start("select", {"policy": {"size": size}}), step)
            step.say(f"asked for {size} more texts")

    def _kept(self) -> int:
        """How many of the new labels the retrain will learn from; until there are enough, how many were given."""
        parts = self.parts
        return count_new(parts.labels, parts.texts, parts.datasets, lambda: parts.seed, at_least=self.labels).kept

    def _selected(self) -> int:
        return sum(self.parts.tasks.counts().get(Purpose.SELECT, {}).values())

    def _until(self, met: Callable[[], bool], deadline: float) -> bool:
        pause, end = threading.Event(), time.monotonic() + deadline
        while not (done := met()) and time.monotonic() < end:
            self.stack.check()
            pause.wait(POLL)
        return done


def started_by_event(runs: Runs, stack: Stack, name: str, since: datetime, step: Step | None = None) -> Run:
    """Wait for a run that an event started after `since`, and for its end. Raises RunFailed, also where none starts."""
    pause, end = threading.Event(), time.monotonic() + EVENT_DEADLINE
    while time.monotonic() < end:
        stack.check()
        started = [run for run in runs.since(name, since) if run.created_by == "event"]
        if started:
            return await_run(runs, stack, started[-1], step)
        pause.wait(POLL)
    raise RunFailed(f"no event started {name} within {EVENT_DEADLINE:.0f} s; Prefect's event feed shows what came")


def await_run(runs: Runs, stack: Stack, run: Run, step: Step | None) -> Run:
    """Wait for the end of a run, and show its progress. Raises RunFailed, or ProcessFailed where a process gives up."""
    pause = threading.Event()
    while not (run := runs.get(run)).finished:
        stack.check()
        shown = runs.progress(run)
        if step is not None:
            step.say(f"{run.state.lower()}" + (f", {shown[0]:.0%} {shown[1]}" if shown else ""))
        pause.wait(SELDOM if shown else POLL)
    return runs.finish(run)
