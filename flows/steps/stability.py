"""Compares the newest versions on texts that stay the same, to tell whether labels still change the model."""

from itertools import islice, pairwise

from flows.steps.stream import scored_texts
from flows.steps.worth import made_by, milestones
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
    from training.judge.stopping import COMPARISONS, is_stable, kappa

    words = [text.text for text in islice(scored_texts(texts, seed=0), STOP_SET)]
    versions = milestones(candidate, registry)[-COMPARISONS - 1 :]
    if not words or len(versions) < 2:
        return None
    ran = [(one.version, made_by(one, registry, scheme, lambda model: model.predict(words))) for one in versions]
    found = [(version, predicted) for version, predicted in ran if predicted is not None]
    if len(found) < 2:
        return None
    said = [predicted.answers for _, predicted in found]
    kappas = [kappa(one, other) for one, other in pairwise(said)]
    agreed = [sum(map(str.__eq__, one, other)) / len(words) for one, other in pairwise(said)]
    return Stability(
        texts=len(words),
        versions=tuple(version for version, _ in found),
        agreements=tuple(agreed),
        kappas=tuple(kappas),
        uncertainties=tuple(_doubt(predicted.probabilities.tolist()) for _, predicted in found),
        stable=is_stable(kappas),
    )


def _doubt(probabilities: list[list[float]]) -> float:
    """The mean of one minus the margin: the overall uncertainty (Zhu et al. 2008)."""
    gaps = [best - second for *_, second, best in map(sorted, probabilities)]
    return 1 - sum(gaps) / len(gaps)
