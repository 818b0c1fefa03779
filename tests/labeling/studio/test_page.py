"""What an annotator sees and does in Label Studio's own page: the model's answer is shown, and its key confirms it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from storage.records import LabelTask, Purpose
from tests.browser import Page, browser, eventually
from tests.fixtures_label_studio import LabelStudioServer
from tests.fixtures_labeling import Loop
from tests.schemes import SENTIMENT

SUGGESTED = "The model's answer: neutral"


def log_in(page: Page, server: LabelStudioServer) -> None:
    page.go(f"{server.url}/user/login/")
    page.wait("document.querySelector('input[name=password]')")
    page.run(
        f"document.querySelector('input[name=email]').value = {server.username!r};"
        f"document.querySelector('input[name=password]').value = {server.password!r};"
        "document.querySelector('input[name=password]').form.submit()"
    )
    page.wait("!location.pathname.includes('login') && document.readyState === 'complete'")


EDITOR = (
    f"[...document.querySelectorAll('div')].filter(one => {[SENTIMENT.question, *SENTIMENT.names]!r}"
    ".every(words => one.innerText.includes(words))).sort((a, b) => a.innerText.length - b.innerText.length)[0]"
)
"""The smallest part of the page with the question and its choices: the text of the open task lies between them. Larger
parts have the table of all tasks too."""


def words_of(page: Page, project_url: str, task: LabelTask) -> str:
    """What the editor says of a task, once it shows the task."""
    page.go(f"{project_url}?task={task.task_id}")
    said = [""]

    def shown() -> bool:
        said[0] = str(page.run(f"({EDITOR})?.innerText"))
        return task.text in said[0]

    eventually(shown, f"the text of task {task.task_id}")
    return said[0]


def answered(page: Page, answers: Callable[[], list[Any]]) -> bool:
    """Press the key of the choice where nothing is chosen, else Ctrl+Enter, and look for an answer for 3 s.

    A busy page drops keys, or takes them late, so that the next key unticks the choice: a person sees that too.
    """
    if page.run(f"Boolean(({EDITOR})?.querySelector('input:checked'))"):
        page.press("Enter", "Enter", 13, control=True)
    else:
        page.press("2", "Digit2", 50)
    deadline = time.monotonic() + 3
    while not answers() and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(answers())


def test_the_models_answer_is_shown_and_its_own_key_confirms_it(
    loop: Loop, label_studio: LabelStudioServer, tmp_path: Path
) -> None:
    project = loop.project()
    (task,) = loop.sent(project, 1)
    (audit,) = loop.sent(project, 1, Purpose.AUDIT)

    def answers() -> list[Any]:
        return [one for there in loop.there(project) if there["id"] == task.task_id for one in there["annotations"]]

    with browser(tmp_path / "profile") as page:
        log_in(page, label_studio)
        assert "model" not in words_of(page, project.url, audit)
        assert SUGGESTED in words_of(page, project.url, task)
        eventually(lambda: answered(page, answers), "the answer", 90)
    ((region,),) = (dict(answer)["result"] for answer in answers())
    assert region["value"]["choices"] == ["neutral"]
