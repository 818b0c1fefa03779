"""Gives every text its prediction by the champion.

Texts of the audit share are always predicted exactly, as in service: the production accuracy is counted on their
predictions. All other predictions only order what annotators are asked, so a long run may compute them fast.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.clock import now
from storage.models.registry import ModelVersion, Registry
from storage.records import Text
from storage.texts.paging import batches
from storage.texts.store import TextStore
from training.model.precision import Precision, agreement, bf16_pays

if TYPE_CHECKING:
    from training.model.classifier import Classifier

NO_CHAMPION = "there is no champion yet: `finloop retrain` trains the first, from the seed data alone"
PAGE = 1024
"""Texts between two writes. The model sorts them by length, so that few tokens are padding."""
SAMPLE = 512
"""Texts that are predicted in both precisions before a run computes fast."""
LONG_RUN = 2048
"""A run of fewer texts computes exactly: the sample would cost more than the fast precision saves."""


def is_behind(texts: TextStore, version: str, share: float) -> bool:
    """Whether more than this share of the texts has no score by this version, as after a promotion."""
    counts = texts.counts()
    return counts.texts - counts.predicted.get(version, 0) > share * counts.texts


@dataclass(frozen=True, slots=True)
class Scored:
    """How many texts a run scored, and how many of them the model read only in part."""

    texts: int
    truncated: int


def score_texts(
    texts: TextStore,
    registry: Registry,
    champion: ModelVersion,
    labels: Sequence[str],
    batch_size: int,
    progress: Callable[[float, str], None] | None = None,
    *,
    fast: bool = True,
) -> Scored:
    """Predict each text that the champion did not score last, and store the predictions.

    With `fast`, a long run computes in the fast precision where a sample of its texts allows that.
    """
    from training.model.classifier import Classifier, to_predictions

    model = Classifier.load(registry.folder(champion.version), labels)
    counts = texts.counts()
    due = max(1, counts.texts - counts.predicted.get(champion.version, 0))
    undecided, precision = fast and due >= LONG_RUN, Precision.EXACT
    done = truncated = 0
    for page in batches(texts.unscored(champion.version), PAGE):
        if undecided:
            undecided, precision = False, choose_precision(model, [text.text for text in page[:SAMPLE]], batch_size)
        for some, how in _by_precision(page, precision):
            predicted = model.predict([text.text for text in some], batch_size, how)
            predictions = to_predictions(predicted, champion.version, now())
            done += texts.record_predictions(zip((text.text_id for text in some), predictions, strict=True))
            truncated += int(predicted.truncated.sum())
        if progress is not None:
            progress(done / due, f"{done:,} of {due:,}")
    return Scored(done, truncated)


def choose_precision(model: "Classifier", sample: Sequence[str], batch_size: int) -> Precision:
    """FAST where this machine is faster so, and where the model's fast predictions of the sample are close enough."""
    if not bf16_pays(model.device):
        return Precision.EXACT
    exact, quick = (model.predict(sample, batch_size, how) for how in (Precision.EXACT, Precision.FAST))
    found = agreement(exact, quick)
    if found.close:
        return Precision.FAST
    print(f"texts are scored in float32: in bf16, {found}")  # noqa: T201 - Prefect logs what a flow prints
    return Precision.EXACT


def _by_precision(page: Sequence[Text], precision: Precision) -> list[tuple[list[Text], Precision]]:
    """The page in one piece, or the audit share apart where the run computes fast."""
    if precision is Precision.EXACT:
        return [(list(page), precision)]
    audit, others = [text for text in page if text.audit], [text for text in page if not text.audit]
    return [(some, how) for some, how in ((audit, Precision.EXACT), (others, precision)) if some]
