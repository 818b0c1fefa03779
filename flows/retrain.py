"""Trains a candidate on the newest labels and has the gate judge it. Prefect never retries a run: sync starts another.

A refused candidate makes a completed run, whose message says why. A run without new labels completes at once.
"""

from functools import partial

from prefect import State, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from flows import artifacts
from flows.evidence import measure_evidence, tolerated
from flows.prefect_api.events import deliver
from flows.steps.dataset import build_dataset
from flows.steps.decide import decided_before, record_decision
from flows.steps.judge import judge
from flows.steps.recover import RETRAIN_LEASE, RUN_LEASE, unusable_noted
from flows.steps.stream import unlabelled_texts
from flows.steps.train import train
from flows.wiring.cures import settings_named
from flows.wiring.inputs import training_inputs
from flows.wiring.parts import open_parts
from flows.wiring.policies import RetrainPolicy

NOTHING_NEW = "nothing new: every label is in a dataset whose model was judged"

_build = task(name="build dataset", cache_policy=NO_CACHE)(build_dataset)
_draw = task(name="draw texts without a label", cache_policy=NO_CACHE)(unlabelled_texts)
_train = task(name="train", cache_policy=NO_CACHE)(train)
_judge = task(name="judge", cache_policy=NO_CACHE)(judge)


@flow(name="retrain", log_prints=True)
def retrain(policy: RetrainPolicy = RetrainPolicy(), event: str | None = None) -> State[None]:  # noqa: B008
    """Train on seed data and labels; a candidate that the gate promotes becomes the challenger.

    What labels brought is measured last, when a deployment has been asked for: a fault there is said, and the run
    completes with its verdict.
    """
    with (
        open_parts() as parts,
        parts.leases.hold(RETRAIN_LEASE, RUN_LEASE, wait=2 * RUN_LEASE),
        unusable_noted(parts.problems, parts.datasets, training_inputs(parts.settings)),
        settings_named(),  # so that the noted problem names the setting and the cure
    ):
        settings, registry, datasets = parts.settings, parts.registry, parts.datasets
        dataset = _build(parts.labels, parts.texts, datasets, parts.seed, policy.merge, parts.scheme)
        recipe_hash = policy.recipe.hash_on(parts.base_model.name)
        if decided_before(dataset, recipe_hash, registry, datasets, parts.problems):
            known = registry.find(dataset.version, recipe_hash)
            if known is not None and policy.yardstick == "always":
                found = measure_evidence(parts, policy, known)
                return Completed(message=found.sentence if found else NOTHING_NEW)
            return Completed(message=NOTHING_NEW)
        progress = artifacts.Progress("training", "training")
        stream = _draw(parts.texts, dataset, policy.recipe.self_training, policy.recipe.seed)
        candidate = _train(dataset, parts.base_model, registry, policy.recipe, parts.scheme, progress, stream)
        judged = _judge(candidate, dataset, registry, parts.labels, datasets, parts.scheme, policy.gate)
        record_decision(judged.verdict, dataset, registry, datasets, parts.outbox, parts.problems)
        for note in parts.seed.notes:
            get_run_logger().warning("seed data %s: %s", parts.seed.source, note)
        deliver(parts.outbox, settings.prefect_server)
        show = partial(artifacts.show_verdict, judged, dataset, parts.seed.bad_lines)
        tolerated("showing the verdict", show, lambda _: None)
        measure_evidence(parts, policy, candidate)
    return Completed(message=judged.verdict.reason)
