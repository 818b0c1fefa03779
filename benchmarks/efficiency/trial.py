"""One training of a measurement: labels are asked for as the product asks, merged, learnt from, and judged.

What was asked for is kept beside the models, so that a stopped run goes on and a larger budget begins where a smaller
one ended.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.efficiency.ledger import NONE, Ledger, Result
from benchmarks.efficiency.task import Task
from labeling.ask.compose import compose
from labeling.ask.facts import Fact
from labeling.ask.language import Written
from labeling.ask.pool import Need, Pool, Strategy
from labeling.ask.rules import BatchRules
from labeling.ask.strategies.registry import find_strategy
from storage.records import Row, Split
from storage.text import cluster_key
from training.data.clusters import near_any
from training.judge.evaluate import evaluate, rows_as_examples
from training.model.classifier import Classifier
from training.model.finetune import Finetuned, finetune
from training.model.recipe import Recipe

ALONE = BatchRules(random_first=0, random_share=0, clip_share=0, quota=0)
"""Rules that leave a strategy alone: what is measured is the strategy."""
Ask = Callable[["Trials", "Way", int, list[int], int], list[int]]
"""Chooses positions of the stream: for a way, a seed, the positions that are labelled, and a number of texts."""


@dataclass(frozen=True, slots=True)
class Way:
    """How labels are asked for and learnt from: a row of the table.

    `rounds`: the labels that are asked for between two trainings; None asks for all of a budget at once.
    """

    name: str
    strategy: str
    recipe_name: str
    recipe: Recipe
    rounds: int | None = None
    rules: BatchRules | None = None

    def seeded(self, seed: int, labels: int) -> Recipe:
        """The recipe with the seed of a trial. Without labels nobody learns from the stream: champions are shared."""
        fixed = {"seed": seed} if labels else {"seed": seed, "self_training": 0}
        return self.recipe.model_copy(update=fixed)


class Trials:
    """The trainings of one task, in a folder. `peers` maps a prefix of strategies to a library that asks."""

    def __init__(self, task: Task, folder: Path, ledger: Ledger, console: Console, peers: Mapping[str, Ask]) -> None:
        self.task, self._folder, self.ledger, self.console, self._peers = task, folder, ledger, console, peers

    def result(self, way: Way, seed: int, labels: int) -> Result:
        """The finished training of this way with so many labels; it is done now where it is missing."""
        return self.finished(way, seed, labels) or _named(self._measured(way, seed, labels), way)

    def finished(self, way: Way, seed: int, labels: int) -> Result | None:
        """The same, where an earlier run has done the training."""
        found = self._known(way, seed, labels)
        return found and _named(found, way)

    def model(self, way: Way, seed: int, labels: int) -> Classifier:
        """The trained model, for the next question; it is trained again where its folder is gone.

        A training of which the ledger has the result only restores the model: it is no other result.
        """
        folder = self._place(way, seed, labels) / "model"
        if not folder.exists():
            restore = self._trained if self._known(way, seed, labels) else self._measured
            restore(way, seed, labels)
        return Classifier.load(folder, self.task.scheme.names)

    def chosen(self, way: Way, seed: int, labels: int) -> list[int]:
        """The positions of the stream that this way asks about, in the order of asking."""
        if labels == 0:
            return []
        kept = self._place(way, seed, labels) / "chosen.json"
        if kept.exists():
            return [int(at) for at in json.loads(kept.read_text())]
        if way.strategy == "random" and way.rules is None:
            drawn: list[int] = np.random.default_rng(seed).permutation(len(self.task.stream))[:labels].tolist()
        elif way.strategy == "all":
            drawn = list(range(len(self.task.stream)))
        else:
            before = self._before(way, labels)
            answered = self.chosen(way, seed, before)
            drawn = answered + self._ask(way, seed, answered, labels - before)
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(drawn))
        return drawn

    def _ask(self, way: Way, seed: int, answered: list[int], size: int) -> list[int]:
        library, _, _ = way.strategy.partition(":")
        if library in self._peers:
            return self._peers[library](self, way, seed, answered, size)
        return ask_as_the_product(self, way, seed, answered, size)

    def _before(self, way: Way, labels: int) -> int:
        return 0 if way.rounds is None else max(0, labels - way.rounds) // way.rounds * way.rounds

    def _steps(self, way: Way, labels: int) -> tuple[int, ...]:
        if labels == 0 or way.strategy in ("random", "all"):
            return ()  # no model is asked: one training is the same in any number of rounds
        steps: list[int] = []
        while labels:
            steps.insert(0, labels - (before := self._before(way, labels)))
            labels = before
        return tuple(steps)

    def _known(self, way: Way, seed: int, labels: int) -> Result | None:
        recipe = way.seeded(seed, labels).hash()
        if not labels:  # a champion is the same, whatever will be asked for
            return self.ledger.champion(self.task.key, recipe, seed)
        return self.ledger.find((self.task.key, way.name, recipe, seed, labels, self._steps(way, labels)))

    def _trained(self, way: Way, seed: int, labels: int) -> Finetuned:
        task, recipe, folder = self.task, way.seeded(seed, labels), self._place(way, seed, labels) / "model"
        answered = self.chosen(way, seed, labels)
        self.console.log(f"{way.name}, seed {seed}, {len(answered)} labels: training")
        rows = task.rows(answered)
        shutil.rmtree(folder, ignore_errors=True)
        stream = unlabelled(task, answered, rows, recipe)
        return finetune(rows, task.base, recipe, folder, task.scheme.names, unlabelled=stream)

    def _measured(self, way: Way, seed: int, labels: int) -> Result:
        task, answered = self.task, self.chosen(way, seed, labels)
        made = self._trained(way, seed, labels)
        model = Classifier.load(made.folder, task.scheme.names)
        judged = evaluate(model, task.judge).scores()
        rows = task.rows(answered)
        kept = evaluate(model, rows_as_examples(row for row in rows if row.split is Split.TEST)).scores()
        result = Result(
            strategy=way.name if labels else NONE,
            recipe=way.recipe_name,
            seed=seed,
            labels=labels,
            macro_f1=judged.macro_f1,
            accuracy=judged.accuracy,
            recall=judged.recall,
            seed_test_macro_f1=kept.macro_f1,
            seconds=made.seconds,
            rounds=self._steps(way, labels),
            task=task.key,
            recipe_hash=way.seeded(seed, labels).hash(),
            base_model=task.base.name,
            exposed=task.base.exposed,
            note={
                "asked": len(answered),
                "by label": _by_label(task, answered),
                "unlabelled": len(made.unlabelled),
                "train rows": made.metrics["train_rows"],
            },
        )
        self.ledger.add(result)
        return result

    def _place(self, way: Way, seed: int, labels: int) -> Path:
        if labels == 0:  # a champion is the same, whatever will be asked for
            return self._folder / "work" / f"{self.task.key}-champion-{way.seeded(seed, labels).hash()[:12]}"
        name = f"{way.name}-{way.rounds or 'once'}-{way.seeded(seed, labels).hash()[:12]}-{labels}".replace(":", "-")
        return self._folder / "work" / f"{self.task.key}-{name}"


def ask_as_the_product(trials: Trials, way: Way, seed: int, answered: list[int], size: int) -> list[int]:
    """What `select` would ask, with the champion of this way's last round, on the texts that nobody has labelled."""
    task = trials.task
    rules = way.rules or ALONE
    strategy, learnt = find_strategy(way.strategy), len(answered)
    done = set(answered)
    waiting = [at for at in range(len(task.stream)) if at not in done]
    texts = [task.stream.texts[at] for at in waiting]
    asker = trials.model(way, seed, learnt if learnt >= rules.random_first else 0)  # chance needs no newer model
    learnt_from = [row.text for row in task.rows(answered) if row.split is Split.TRAIN]
    pool = pool_of(asker, texts, strategy, learnt_from, seed)
    names = task.scheme.names
    facts = [
        Fact(text, "", None, cluster_key(text), names[at])
        for text, at in zip(texts, pool.probabilities.argmax(axis=1).tolist(), strict=True)
    ]
    draw = np.random.default_rng([seed, len(answered)])
    aside = [task.stream.texts[at] for at in answered]
    due, written = rules.due(learnt), Written.of(learnt_from)
    batch = compose(pool, facts, strategy, due, size, draw, near_any, aside=aside, written=written)
    return [waiting[one.position] for one in batch.chosen]


def unlabelled(task: Task, answered: Sequence[int], rows: Sequence[Row], recipe: Recipe) -> list[str]:
    """Random texts of the stream without a label, near no test row, as the product's retrain draws them."""
    if not recipe.self_training or not answered:
        return []
    done = {task.stream.texts[at] for at in answered}
    order = np.random.default_rng([recipe.seed, 1]).permutation(len(task.stream)).tolist()
    texts = [text for at in order if (text := task.stream.texts[at]) not in done][: 2 * recipe.self_training]
    near = near_any(texts, [row.text for row in rows if row.split is Split.TEST])
    return [text for at, text in enumerate(texts) if at not in near][: recipe.self_training]


def pool_of(model: Classifier, texts: Sequence[str], strategy: Strategy, labelled: Sequence[str], seed: int) -> Pool:
    """The arrays that a strategy needs, by this model."""
    said = model.predict(texts).probabilities
    arrays = {}
    if Need.EMBEDDINGS in strategy.needs:
        arrays["embeddings"] = model.embed(texts)
    if Need.LABELLED in strategy.needs:
        arrays["labelled"] = model.embed(labelled)
        arrays["labelled_probabilities"] = model.predict(labelled).probabilities
    if Need.DROPOUT in strategy.needs:
        arrays["dropout"] = model.predict_with_dropout(texts, passes=10, seed=seed)
    return Pool(said, **arrays)


def _named(result: Result, way: Way) -> Result:
    """A champion is called as the way calls it: one training may be the champion of several recipes' names."""
    return result if result.labels else replace(result, strategy=way.name)


def _by_label(task: Task, answered: Sequence[int]) -> dict[str, int]:
    return {label: sum(task.stream.truth[at] == label for at in answered) for label in task.scheme.names}
