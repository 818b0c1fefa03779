"""What annotators see of a label scheme."""

import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest

from labeling.answer.reconcile import Reconciled, reconcile
from labeling.studio.interface import check_tasks, choice, choices_of, control_name, instructions, label_config
from labeling.studio.project import MODEL_NAME
from storage.errors import BadInput
from storage.scheme import Scheme
from tests.fixtures_labeling import Loop
from tests.schemes import SENTIMENT, scheme_of

NASTY = 'a & "b" <c> name="x" toName=\'y\''
TWO = scheme_of("confirmed", "rumour", name="rumour")
MANY = scheme_of(NASTY, *(f"topic {number}" for number in range(2, 21)))
TWENTY = MANY.model_copy(update={"question": f"{NASTY}\nor $AAPL?"})


def asking(question: str) -> Scheme:
    return scheme_of("a", "b").model_copy(update={"question": question})


def tags(scheme: Scheme, tag: str) -> list[dict[str, str]]:
    return [dict(element.attrib) for element in ET.fromstring(label_config(scheme)).iter(tag)]


def test_the_question_the_buttons_and_their_keys_come_from_the_scheme() -> None:
    scheme = SENTIMENT
    assert [header["value"] for header in tags(scheme, "Header")] == [scheme.question]
    assert [(button["value"], button["hotkey"], button["hint"]) for button in tags(scheme, "Choice")] == [
        (label.name, label.hotkey, label.meaning) for label in scheme.labels
    ]
    for button, label in zip(tags(scheme, "Choice"), scheme.labels, strict=True):
        assert f"background-color: {label.colour}" in button["style"]


def test_answers_that_were_given_before_there_were_schemes_are_still_read() -> None:
    assert control_name(SENTIMENT) == "sentiment"


@pytest.mark.parametrize("name", ["text", "source", "suggestion", "question", "topic"])
def test_the_buttons_have_a_name_of_their_own(name: str) -> None:
    scheme = scheme_of("one", "two", name=name)
    names = [
        element.attrib["name"] for element in ET.fromstring(label_config(scheme)).iter() if "name" in element.attrib
    ]
    assert len(names) == len(set(names)) == 4
    assert choices_of(label_config(scheme)) == {control_name(scheme): {"one", "two"}}


def test_what_a_user_writes_is_never_xml() -> None:
    assert [button["value"] for button in tags(TWENTY, "Choice")] == list(TWENTY.names)
    assert [header["value"].replace("\u2060", "") for header in tags(TWENTY, "Header")] == [TWENTY.question]


def test_a_dollar_in_the_question_is_no_variable_of_label_studio() -> None:
    assert [header["value"] for header in tags(asking("Up with $AAPL?"), "Header")] == ["Up with $\u2060AAPL?"]
    with pytest.raises(BadInput, match="variable"):
        label_config(scheme_of("$AAPL", "other"))


def test_a_scheme_that_is_no_xml_is_refused_by_its_name() -> None:
    with pytest.raises(BadInput, match="label scheme made"):
        label_config(asking("what\x01?"))


def test_instructions_are_markdown_and_html_in_them_is_shown_as_written() -> None:
    said = "# Read\n\n**well** <script>alert(1)</script> [here](javascript:alert)\n\n<img src=x onerror=alert(1)>"
    html = instructions(scheme_of("a", "b").model_copy(update={"instructions": said}))
    seen: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            seen.append(tag)

    Tags().feed(html)
    assert seen == ["h1", "p", "strong", "p"]
    assert "&lt;script&gt;" in html


def test_a_prediction_that_does_not_fit_is_refused_by_its_text() -> None:
    def task(label: str, **data: str) -> dict[str, Any]:
        prediction = {"model_version": MODEL_NAME, "score": 0.5, "result": [choice(TWO, label)]}
        return {
            "data": {"text": "Sold", "feed": "wire", "suggestion": "", "text_id": "7", **data},
            "predictions": [prediction],
        }

    check_tasks(TWO, [task("confirmed"), task("rumour")])
    with pytest.raises(BadInput, match=r"text 7 .*positive"):
        check_tasks(TWO, [task("confirmed"), task("positive")])
    with pytest.raises(BadInput, match="text 7"):
        check_tasks(TWO, [{"data": {"text_id": "7", "feed": "wire"}}])


def test_what_is_no_labelling_config_has_no_choices() -> None:
    assert choices_of("") == choices_of("<View") == choices_of("<View><Text name='t' value='$t'/></View>") == {}


@pytest.mark.parametrize("scheme", [TWO, TWENTY], ids=["two labels", "twenty labels"])
def test_any_number_of_labels_is_asked_answered_and_found(loop: Loop, scheme: Scheme) -> None:
    loop.scheme = scheme
    project = loop.project()
    assert loop.studio.api.projects.get(project.id).label_config == label_config(scheme)
    tasks = loop.sent(project, 3)
    for there in loop.there(project):
        assert there["data"]["suggestion"] == f"The model's answer: {scheme.names[1]}"
    given = dict(zip([task.text_id for task in tasks], [scheme.names[0], scheme.names[1], None], strict=True))
    for task in tasks:
        loop.answer(task, given[task.text_id])
    assert reconcile(loop.studio, project, loop.tasks, loop.labels, scheme) == Reconciled(tasks=3, answers=3)
    assert {label.text_id: label.label for label in loop.labels.trainable()} == {
        text_id: label for text_id, label in given.items() if label
    }
