"""Brings the tasks that wait in Label Studio in the order of a new champion's doubts."""

from labeling.ask.rerank import rerank
from labeling.studio.client import Studio
from labeling.studio.connection import NotThere
from storage.errors import Refused, Unreachable
from storage.labels.projects import Projects
from storage.labels.tasks import Tasks
from storage.scheme import Scheme
from storage.texts.store import TextStore


def rerank_open(
    studio: Studio, projects: Projects, tasks: Tasks, texts: TextStore, scheme: Scheme, version: str
) -> str:
    """Rank the open tasks of our project by a version's scores, and say what was done; empty where nothing was.

    While Label Studio is away the tasks keep their order: the next score ranks them. The caller holds ASKING_LEASE.
    """
    project = projects.get(studio.url)
    if project is None:
        return ""
    try:
        changed = rerank(studio, project, tasks, texts, scheme, version)
    except (NotThere, Unreachable, Refused) as error:
        return f"; the open tasks keep their order until the next score: {error}"
    return f"; {changed:,} open tasks ranked anew" if changed else ""
