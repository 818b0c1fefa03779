"""What an annotator sees of a label scheme: the question, the text, and a button with a key for each label.

The SDK's LabelInterface builds and checks it, so that a user's words in a scheme are never read as XML or HTML.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from storage.errors import BadInput
from storage.scheme import Scheme, SchemeLabel

if TYPE_CHECKING:
    from label_studio_sdk.label_interface.interface import LabelInterface

TEXT, SOURCE, SUGGESTION = "text", "source", "suggestion"
"""The names of the shown tags. `$source` in a labelling config is the whole task, so a text's source is `$feed`."""

TEXT_STYLE = "font-size: 1.25em; line-height: 1.5; padding: 1em 0"
TINT = "33"
"""The opacity of a button's colour (alpha in hexadecimal): the button's text is readable on any colour."""

VARIABLE = re.compile(r"\$(?=[\w\[{.])")
"""The `$` that Label Studio replaces by task data. A `$` with a word joiner after it looks the same, and is kept."""


def control_name(scheme: Scheme) -> str:
    """The buttons' name in answers and predictions: the scheme's name, with `-label` where another tag has it."""
    return f"{scheme.name}-label" if scheme.name in {TEXT, SOURCE, SUGGESTION} else scheme.name


def choice(scheme: Scheme, label: str) -> dict[str, Any]:
    """The choice of a label, in the form of Label Studio's answers and predictions."""
    return {
        "from_name": control_name(scheme),
        "to_name": TEXT,
        "type": "choices",
        "value": {"choices": [label]},
    }


def instructions(scheme: Scheme) -> str:
    """The scheme's instructions as HTML; HTML in them is shown as it is written."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(scheme.instructions)).strip()


def label_config(scheme: Scheme) -> str:
    """The labelling config. Raises BadInput where Label Studio could not show the scheme."""
    return str(_interface(scheme).config)


def check_tasks(scheme: Scheme, tasks: Sequence[Mapping[str, Any]]) -> None:
    """Raises BadInput naming the first task or prediction that does not fit the labelling config."""
    interface = _interface(scheme)
    for task in tasks:
        # Predictions are checked apart, because `validate_task` calls `validate_prediction` without a prediction.
        data: Any = {"data": task["data"]}
        faults = [] if interface.validate_task(data) else ["its data lack what the config shows"]
        for prediction in task.get("predictions", []):
            faults += interface.validate_prediction(prediction, return_errors=True)
        if faults:
            raise BadInput(f"the task of text {task['data'].get('text_id')} does not fit the config: {faults[0]}")


def choices_of(config: str) -> dict[str, set[str]]:
    """Name -> choices of each group of buttons in a labelling config; empty where `config` is not a config."""
    from label_studio_sdk.label_interface.control_tags import ChoicesTag
    from label_studio_sdk.label_interface.interface import LabelInterface

    try:
        found = LabelInterface(config).find_tags_by_class(ChoicesTag)
    except Exception:  # noqa: BLE001 - the SDK has no error class for a bad config
        return {}
    return {str(tag.name): set(tag.labels) for tag in found}


@lru_cache(maxsize=8)
def _interface(scheme: Scheme) -> "LabelInterface":
    from label_studio_sdk.label_interface.interface import LabelInterface

    variable = [name for name in scheme.names if VARIABLE.search(name)]
    if variable:
        raise BadInput(f"Label Studio would take the label {variable[0]!r} of {scheme.name} for a variable: drop the $")
    try:
        above, style = {TEXT: _shown(scheme.question)}, {TEXT: TEXT_STYLE}
        made = LabelInterface(LabelInterface.create(_tags(scheme), title=above, style=style, pretty=False))
        made.validate()
    except Exception as error:
        raise BadInput(f"Label Studio cannot show the label scheme {scheme.name}: {error}") from error
    return made


def _tags(scheme: Scheme) -> dict[str, tuple[str, dict[str, str], tuple[Any, ...]]]:
    buttons = {
        "toName": TEXT,
        "choice": "single",
        "showInline": "true",
        "required": "true",
        "requiredMessage": "Choose one, or skip.",
    }
    return {
        TEXT: ("Text", {"value": "$text", "selectionEnabled": "false"}, ()),
        SOURCE: ("Text", {"value": "From: $feed", "selectionEnabled": "false"}, ()),
        SUGGESTION: ("Text", {"value": "$suggestion", "selectionEnabled": "false"}, ()),
        control_name(scheme): ("Choices", buttons, tuple(_button(label) for label in scheme.labels)),
    }


def _button(label: SchemeLabel) -> tuple[str, dict[str, str], tuple[()]]:
    look = {"value": label.name, "hint": _shown(label.meaning), "style": f"background-color: {label.colour}{TINT}"}
    return ("Choice", look | ({"hotkey": label.hotkey} if label.hotkey else {}), ())


def _shown(prose: str) -> str:
    return VARIABLE.sub("$\u2060", prose)
