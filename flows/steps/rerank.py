"""Brings the tasks that wait in Label Studio in the order of a new champion's doubts, and takes back sure ones."""

from labeling.ask.rerank import rerank
from labeling.ask.withdraw import mark_sure, withdraw_marked
from labeling.studio.client import Studio
from labeling.studio.connection import NotThere
from storage.errors import Refused, Unreachable
from storage.labels.projects import Project, Projects
from storage.labels.tasks import Tasks
from storage.scheme import Scheme
from storage.texts.store import TextStore


def rerank_open(
    studio: Studio,
    projects: Projects,
    tasks: Tasks,
    texts: TextStore,
    scheme: Scheme,
    version: str,
    withdraw_above: float | None = None,
) -> str:
    """Rank the open tasks of our project by a version's scores, and say what was done; empty where nothing was.

    Tasks whose margin has risen above `withdraw_above` are taken back; None takes none back. While Label Studio is away
    the tasks keep their order: the next score ranks them. The caller holds ASKING_LEASE.
    """
    project = projects.get(studio.url)
    if project is None:
        return ""
    try:
        changed = rerank(studio, project, tasks, texts, scheme, version)
        ranked = f"; {changed:,} open tasks ranked anew" if changed else ""
        return ranked + _taken_back(studio, project, tasks, version, withdraw_above)
    except (NotThere, Unreachable, Refused) as error:
        return f"; the open tasks keep their order until the next score: {error}"


def _taken_back(studio: Studio, project: Project, tasks: Tasks, version: str, above: float | None) -> str:
    if above is None or not mark_sure(project, tasks, version, above):
        return ""
    gone = withdraw_marked(studio, project, tasks)
    return f"; {gone:,} open tasks taken back: their margin by version {version} is above {above:g}"
