"""Compares the newest versions on texts that stay the same, to tell whether labels still change the model."""

from itertools import chain, islice, pairwise

from flows.steps.worth import milestones, ran_on
from storage.models.registry import ModelVersion, Registry
from storage.models.stability import Stability
from storage.scheme import Scheme
from storage.texts.store import TextStore

STOP_SET = 500
"""Texts that every version reads: a kappa of .99 is three or four texts apart."""


def stability(candidate: ModelVersion, registry: Registry, texts: TextStore, scheme: Scheme) -> Stability | None:
    """How far the candidate and the promoted versions before it agree; None without two versions or without texts.

    All versions read the same texts, in the order of ids from one fixed point on, outside the audit share.
    """
    from training.judge.evaluate import Examples
    from training.judge.stopping import COMPARISONS, is_stable, kappa

    stream = chain.from_iterable(texts.random_texts(version, 0) for version in sorted(texts.counts().predicted))
    words = tuple(text.text for text in islice(stream, STOP_SET))
    versions = milestones(candidate, registry)[-COMPARISONS - 1 :]
    if not words or len(versions) < 2:
        return None
    rows = Examples(words, (scheme.names[0],) * len(words))  # no truth is needed: the models are compared
    ran = [(one.version, ran_on(one, rows, registry, scheme)) for one in versions]
    found = [(version, evaluation) for version, evaluation in ran if evaluation is not None]
    if len(found) < 2:
        return None
    said = [evaluation.predicted for _, evaluation in found]
    kappas = [kappa(one, other) for one, other in pairwise(said)]
    agreed = [sum(map(str.__eq__, one, other)) / len(words) for one, other in pairwise(said)]
    return Stability(
        texts=len(words),
        versions=tuple(version for version, _ in found),
        agreements=tuple(agreed),
        kappas=tuple(kappas),
        uncertainties=tuple(_doubt(evaluation.probabilities.tolist()) for _, evaluation in found),
        stable=is_stable(kappas),
    )


def _doubt(probabilities: list[list[float]]) -> float:
    """The mean of one minus the margin: the overall uncertainty (Zhu et al. 2008)."""
    gaps = [best - second for *_, second, best in map(sorted, probabilities)]
    return 1 - sum(gaps) / len(gaps)
