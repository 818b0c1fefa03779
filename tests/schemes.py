"""Label schemes of the tests: the packaged one, and made ones of any number of labels."""

from collections.abc import Sequence

from storage.scheme import ObviousCase, Scheme, SchemeLabel, find_scheme

SENTIMENT = find_scheme("sentiment")
LABELS = SENTIMENT.names


def scheme_of(*names: str, name: str = "made", obvious: Sequence[tuple[str, str]] = ()) -> Scheme:
    """A scheme of these labels."""
    return Scheme(
        name=name,
        question="Which of them?",
        instructions="Choose one.",
        labels=tuple(SchemeLabel(name=each, meaning=f"It is {each}.") for each in names),
        obvious=tuple(ObviousCase(text=text, label=label) for text, label in obvious),
    )


def named(*numbers: float) -> dict[str, float]:
    """A number for each label of `sentiment`, in its order."""
    return dict(zip(LABELS, numbers, strict=True))
