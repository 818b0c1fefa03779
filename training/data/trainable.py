"""Says before a training whether the rows can make a model: every label needs rows, and so does every split.

A model that never saw a label cannot say it, and its scores on rows without that label look perfect.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from storage.errors import BadInput, Part
from storage.records import Row, Split
from training.data.merge import MergePolicy

_RISK = 0.01


def check_trainable(
    rows: Iterable[Row], labels: Sequence[str], source: str, policy: MergePolicy, *, tested: bool = False
) -> None:
    """Raise BadInput, about the seed data, where a split or a label of the scheme has no row to train on.

    `tested` asks for a test row too. `source` is what the rows are, for the message.
    """
    counts = Counter((row.split, row.label) for row in rows)
    of = {split: sum(count for (one, _), count in counts.items() if one is split) for split in Split}
    missing = [label for label in labels if not counts[Split.TRAIN, label]]
    if missing:
        others = {label: sum(counts[split, label] for split in Split) for label in missing}
        said = ", ".join(f"{label} ({others[label]} in other splits)" if others[label] else label for label in missing)
        raise BadInput(
            f"{source}: no row to train on for {said}; a model cannot learn a label that it never sees.\n"
            "Add rows of each label of the scheme, or name a scheme (FINLOOP_SCHEME) of the labels that there are.",
            Part.SEED_DATA,
        )
    wanted = [Split.TRAIN, Split.VALIDATION, *([Split.TEST] if tested else [])]
    if not all(of[split] for split in wanted):
        have = ", ".join(f"{of[split]} {split}" for split in wanted)
        raise BadInput(
            f"{source}: {sum(of.values())} usable rows, divided into {have} rows; a training needs some of each.\n"
            f"Give at least {rows_needed(policy)} different texts, with some of each label.",
            Part.SEED_DATA,
        )


def rows_needed(policy: MergePolicy) -> int:
    """How many texts leave no split empty, but for one time in a hundred: the splits are drawn by hash."""
    return math.ceil(math.log(_RISK) / math.log(1 - min(policy.test_share, policy.validation_share)))
