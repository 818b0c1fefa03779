"""Trains a candidate on the newest labels and has the gate judge it. Never retried: a second try is another run.

A refusal is a completed run that says why; a run that finds nothing new completes at once and says so.
"""

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from flows import artifacts
from flows.prefect_api.events import deliver
from flows.steps.candidate import build_dataset, judge_candidate, record_decision, train_candidate
from flows.steps.recover import RETRAIN_LEASE, RUN_LEASE
from flows.wiring.parts import open_parts
from flows.wiring.policies import RetrainPolicy

NOTHING_NEW = "nothing new: every label is in a dataset whose model was judged"

_build = task(name="build dataset", cache_policy=NO_CACHE)(build_dataset)
_train = task(name="train", cache_policy=NO_CACHE)(train_candidate)
_judge = task(name="judge", cache_policy=NO_CACHE)(judge_candidate)


@flow(name="retrain", log_prints=True)
def retrain(policy: RetrainPolicy = RetrainPolicy(), event: str | None = None) -> State[None]:  # noqa: B008
    """Train on seed data and labels; a candidate that the gate promotes becomes the challenger."""
    with open_parts() as parts, parts.leases.hold(RETRAIN_LEASE, RUN_LEASE, wait=2 * RUN_LEASE):
        dataset = _build(parts, policy)
        if dataset is None:
            return Completed(message=NOTHING_NEW)
        version = _train(parts, dataset, policy, artifacts.Progress("training", "training"))
        candidate = _judge(parts, version, dataset, policy)
        record_decision(parts, candidate, dataset)
        deliver(parts.outbox, parts.settings.needed("prefect_url"))
        artifacts.show_verdict(candidate, dataset, parts.seed.bad_lines)
    return Completed(message=candidate.judgement.verdict.reason)
