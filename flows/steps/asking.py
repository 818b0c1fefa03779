"""Asks annotators: finds our Label Studio project, sends texts, reads what webhooks missed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from flows.steps.arrays import Reader, arrays, within_reach
from labeling.answer.forget import forget_failed
from labeling.answer.reconcile import Reconciled, reconcile
from labeling.ask.again import reserve_lost
from labeling.ask.batch import Batch, choose, choose_audit
from labeling.ask.candidates import gather
from labeling.ask.compose import Composition, compose
from labeling.ask.compose import rows as rows_of
from labeling.ask.facts import main_script
from labeling.ask.pool import Positions, Strategy
from labeling.ask.rules import BatchRules
from labeling.ask.send import recover_batches, send_batch
from labeling.studio.client import Studio
from labeling.studio.marker import Owner
from labeling.studio.project import WEBHOOK_PATH, ensure_project
from storage.clock import now
from storage.labels.annotations import Labels
from storage.labels.inbox import Inbox
from storage.labels.projects import Project, Projects
from storage.labels.tasks import Tasks
from storage.models.registry import ModelVersion
from storage.records import LabelTask, Purpose
from storage.scheme import Scheme
from storage.texts.store import TextStore
from storage.work.leases import Leases

ASKING_LEASE = "asking"
"""One run at a time counts the open tasks and adds to them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What our project must have: the receiver that its webhook calls, the secret, its owner, and the labels."""

    receiver_url: str
    webhook_secret: str
    owner: Owner
    scheme: Scheme


def our_project(studio: Studio, projects: Projects, leases: Leases, tasks: Tasks, wanted: Wanted) -> Project:
    """Find, repair or make our project and its webhook. Tasks of an earlier project there are marked as missing."""
    webhook = wanted.receiver_url + WEBHOOK_PATH
    ours = ensure_project(studio, projects, leases, wanted.scheme, webhook, wanted.webhook_secret, wanted.owner)
    tasks.mark_left_behind(ours)
    return ours


@dataclass(frozen=True, slots=True)
class Asked:
    """The tasks that a run sent, and how many of the purpose were open before.

    `left_out` maps a reason to the number of texts that were left out for that reason.
    """

    sent: list[LabelTask]
    open_before: int
    left_out: Mapping[str, int] = field(default_factory=dict)

    def said(self, url: str) -> str:
        """What the run's message says."""
        before = f"; {self.open_before} are still open" if self.open_before else ""
        return f"{len(self.sent)} texts sent to {url}{before}"


@dataclass(frozen=True, slots=True)
class Wish:
    """How many texts shall wait for an answer, and how they are chosen; `seed` fixes all chance."""

    size: int
    strategy: Strategy
    rules: BatchRules = field(default_factory=BatchRules)
    seed: int = 0


def due(size: int, champion: ModelVersion | None) -> tuple[int, str]:
    """How many texts shall wait for an answer, and what to say: half of them where labels no longer change the model.

    Without a champion's comparison all of them are due.
    """
    stable = champion.evidence.stability if champion else None
    if stable is None or not stable.stable:
        return size, ""
    return max(1, size // 2), f"; half of {size:,} were due: {stable.sentence}"


def ask_to_learn(
    studio: Studio, where: Project, texts: TextStore, tasks: Tasks, scheme: Scheme, reader: Reader, wish: Wish
) -> Asked:
    """Fill the open tasks of select up to the wished size with what the strategy chooses by the champion's scores.

    Lost tasks and batches of killed senders come first. The caller holds ASKING_LEASE, or two runs exceed the size.
    """
    _send_rest(studio, where, tasks, scheme)
    before = tasks.unanswered(where.server, where.id, Purpose.SELECT)
    if before >= wish.size:
        return Asked([], before)
    batch = _chosen(texts, tasks, scheme, reader, wish, wish.size - before)
    return Asked(_send(studio, where, tasks, scheme, batch), before, batch.left_out)


def _chosen(texts: TextStore, tasks: Tasks, scheme: Scheme, reader: Reader, wish: Wish, size: int) -> Batch:
    """Reserve a batch. Each select draws anew: the number of texts that were asked about is part of its seed."""
    from training.data.clusters import near_any

    draw = np.random.default_rng([wish.seed, len(tasks.asked())])
    seed = int(draw.integers(2**31))
    found = gather(texts, tasks, scheme.names, reader.champion.version, seed)
    candidates = within_reach(found, wish.strategy.needs)
    pool = arrays(candidates, wish.strategy.needs, scheme.names, reader, seed)
    trained_on = reader.trained_on()
    script = main_script(row.text for row in trained_on)
    rules = wish.rules.due(sum(row.origin == "label" for row in trained_on))

    def composed(rows: Positions, count: int) -> Composition:
        facts = [candidates.facts[row] for row in rows.tolist()]
        aside = chain(tasks.asked().values(), (text.text for text in texts.random_audit(seed=0)))
        part = rows_of(pool, rows)
        return compose(
            part,
            facts,
            wish.strategy,
            rules,
            count,
            draw,
            near_any,
            aside=aside,
            script=script,
            sampled=candidates.sampled[rows],
        )

    return choose(texts, tasks, candidates, composed, size)


def ask_audit(
    studio: Studio, where: Project, texts: TextStore, tasks: Tasks, scheme: Scheme, size: int, seed: int
) -> Asked:
    """Fill the open tasks of the audit up to `size` with random texts of the audit share, as `ask_to_learn` does."""
    _send_rest(studio, where, tasks, scheme)
    before = tasks.unanswered(where.server, where.id, Purpose.AUDIT)
    batch = choose_audit(texts, tasks, max(0, size - before), seed)
    return Asked(_send(studio, where, tasks, scheme, batch), before)


def why_nothing(texts: TextStore, champion: str) -> str:
    """The reason why a select found no text to send. Texts of the audit share are never asked about here."""
    if next(iter(texts.lowest_margin(champion)), None) is None:
        return f"no text sent: version {champion} has scored none outside the audit share; run `finloop score` first"
    return "no text sent: every text that may be asked about was sent before, or is a near copy of a text that was"


def catch_up(studio: Studio, where: Project, tasks: Tasks, labels: Labels, inbox: Inbox, scheme: Scheme) -> Reconciled:
    """Read from Label Studio what the webhooks missed, then send what a killed sender left and what was lost."""
    begun = now()
    found = reconcile(studio, where, tasks, labels, scheme)
    if not found.project_gone:
        forget_failed(inbox, begun, found.unusable_annotations)
        _send_rest(studio, where, tasks, scheme)
    return found


def _send_rest(studio: Studio, where: Project, tasks: Tasks, scheme: Scheme) -> None:
    """Send again what left Label Studio unanswered, and what a killed sender did not send."""
    reserve_lost(studio, where, tasks)
    recover_batches(studio, where, tasks, scheme)


def _send(studio: Studio, where: Project, tasks: Tasks, scheme: Scheme, batch: Batch) -> list[LabelTask]:
    return send_batch(studio, where, tasks, scheme, batch.batch_id, batch.owner)
