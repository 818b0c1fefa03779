"""Which of our texts a task of Label Studio carries. A task's number is only an address, which a reset gives again.

The text id in the task's data names the text. The text beside it, which the annotator saw, must be the one we sent.
"""

from collections.abc import Mapping


def text_carried(data: object, asked: Mapping[str, str]) -> str | None:
    """The id of the text that a task with these data is about, or None where the task is not ours.

    `asked` has the texts that were reserved or sent, by id. A text that was edited there is not ours any more.
    """
    if not isinstance(data, Mapping):
        return None
    text_id, text = data.get("text_id"), data.get("text")
    return text_id if isinstance(text_id, str) and text is not None and asked.get(text_id) == text else None
