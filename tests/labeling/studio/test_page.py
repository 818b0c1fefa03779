"""What an annotator sees and does in Label Studio's own page: the model's answer is shown, and its key confirms it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from storage.records import LabelTask, Purpose
from tests.browser import Page, browser, eventually
from tests.fixtures_label_studio import LabelStudioServer
from tests.fixtures_labeling import Loop

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


EDITOR = "[...document.querySelectorAll('div[class*=lsf-]')].find(one => one.innerText.includes('Submit'))"
"""The part of the page where a task is answered; beside it lies the table of all tasks."""


def words_of(page: Page, project_url: str, task: LabelTask) -> str:
    page.go(f"{project_url}?task={task.task_id}")
    page.wait(f"({EDITOR})?.innerText.includes({task.text!r})")
    return str(page.run(f"({EDITOR}).innerText"))


def submitted(page: Page, answers: Callable[[], list[Any]]) -> bool:
    """Press Ctrl+Enter once more, as a person would: on a busy machine the page drops a key that comes too soon."""
    page.press("Enter", "Enter", 13, control=True)
    deadline = time.monotonic() + 5
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
        page.press("2", "Digit2", 50)
        page.wait("document.querySelector('input[type=checkbox]:checked, input[type=radio]:checked')")
        page.wait("[...document.querySelectorAll('button')].some(one => one.innerText === 'Submit' && !one.disabled)")
        eventually(lambda: submitted(page, answers), "the answer")
    ((region,),) = (dict(answer)["result"] for answer in answers())
    assert region["value"]["choices"] == ["neutral"]
