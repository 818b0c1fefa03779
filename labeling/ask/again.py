"""Asks again about texts that left Label Studio before they were answered: deleted there, or lost in a reset."""

import uuid
from datetime import timedelta

from labeling.answer.addresses import settle_addresses, texts_there
from labeling.studio.client import Studio
from storage.labels.projects import Project
from storage.labels.tasks import Tasks


def reserve_lost(studio: Studio, project: Project, tasks: Tasks) -> int:
    """Reserve anew the texts without an answer whose task is gone, and return their number.

    `recover_batches` sends them: the new batch has no sender, as after a crash. Texts that are in the project after all
    are only found. Raises NotThere, Unreachable or Refused.
    """
    if not tasks.lost(project.server):
        return 0
    asked = tasks.asked()
    settle_addresses(studio, project, tasks, asked, texts_there(studio, project, asked))
    lost = [task.text_id for task in tasks.lost(project.server)]
    tasks.reserve_again(lost, uuid.uuid4().hex, "nobody", timedelta(seconds=-1))
    return len(lost)
