"""Trains a candidate on the newest labels and has the gate judge it. Never retried: a second try is another run.

A refusal is a completed run that says why; a run that finds nothing new completes at once and says so.
"""

from prefect import State, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from flows import artifacts, events, wiring
from flows.candidate import build_dataset, judge_candidate, settle_candidate, train_candidate
from flows.policies import RetrainPolicy
from flows.recovery import LEASE, RETRAIN_LEASE

NOTHING_NEW = "nothing new: every label is in a dataset whose model was judged"

_build = task(name="build dataset", cache_policy=NO_CACHE)(build_dataset)
_train = task(name="train", cache_policy=NO_CACHE)(train_candidate)
_judge = task(name="judge", cache_policy=NO_CACHE)(judge_candidate)


@flow(name="retrain", log_prints=True)
def retrain(policy: RetrainPolicy = RetrainPolicy(), event: str | None = None) -> State[None]:  # noqa: B008
    """Train on PhraseBank and labels; a candidate that the gate promotes becomes the challenger."""
    with wiring.parts() as parts, parts.leases.hold(RETRAIN_LEASE, LEASE, wait=2 * LEASE):
        dataset = _build(parts, policy)
        if dataset is None:
            return Completed(message=NOTHING_NEW)
        version = _train(parts, dataset, policy, artifacts.Progress("training", "training"))
        candidate = _judge(parts, version, dataset, policy)
        settle_candidate(parts, candidate, dataset)
        events.deliver(parts.outbox, parts.settings.needed("prefect_url"))
        artifacts.judged(candidate, dataset, parts.phrasebank.problems)
    return Completed(message=candidate.judgement.verdict.reason)
