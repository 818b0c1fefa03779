"""Webhooks as events. This module checks a payload's form and labels, and `labeling.answer.record` checks whether its
task is ours. Labels need the check, because Label Studio accepts answers that its own labelling config does not have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, ValidationError

from labeling.studio.interface import control_name
from storage.errors import BadInput
from storage.labels.projects import Project
from storage.records import Annotation
from storage.scheme import Scheme

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
FAR = datetime(2200, 1, 1, tzinfo=UTC)


def _plausible(moment: datetime) -> datetime:
    if not EPOCH < moment < FAR:
        raise ValueError("a time that no annotation can have")
    return moment


Identity = Annotated[int, Field(ge=1, le=2**31 - 1)]
Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]


class AnnotationPayload(BaseModel):
    """The fields of Label Studio's annotation that we use."""

    id: Identity
    task: Identity
    result: list[dict[str, Any]] = Field(default_factory=list)
    was_cancelled: bool = False
    completed_by: int | dict[str, Any] | None = None
    updated_at: Moment


@dataclass(frozen=True, slots=True)
class AnnotationSaved:
    """An annotation was made or changed. `text_id` and `text` come from the task's data, and may be wrong."""

    annotation_id: int
    task_id: int
    label: str | None
    annotator: str
    updated_at: datetime
    text_id: str | None = None
    text: str | None = None

    def of_text(self, project: Project, text_id: str) -> Annotation:
        """The annotation as a record; `text_id` is the label store's own id for the task's text."""
        return Annotation(
            project.annotation(self.annotation_id), self.task_id, text_id, self.label, self.annotator, self.updated_at
        )


@dataclass(frozen=True, slots=True)
class AnnotationDeleted:
    """An annotation was deleted. The webhook does not name its task."""

    annotation_id: int


@dataclass(frozen=True, slots=True)
class TasksDeleted:
    """Tasks are gone, and their annotations with them; the labels stay."""

    task_ids: tuple[int, ...]


Event = AnnotationSaved | AnnotationDeleted | TasksDeleted


def project_of(payload: Mapping[str, Any]) -> int | None:
    """The id of the project that a webhook is about, or None."""
    project = payload.get("project")
    identity = project.get("id") if isinstance(project, Mapping) else project
    return identity if isinstance(identity, int) and not isinstance(identity, bool) else None


def events(action: str, payload: Mapping[str, Any], scheme: Scheme) -> list[Event]:
    """The events in a webhook; none for an action that is not about answers. Raises BadInput saying what is wrong."""
    if action in {"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED"}:
        annotations, tasks = _list(payload.get("annotation")), _list(payload.get("task"))
        data = {task["id"]: task.get("data") for task in tasks if isinstance(task, Mapping) and _whole(task.get("id"))}
        return [_saved(annotation, data, scheme) for annotation in annotations]
    if action == "ANNOTATIONS_DELETED":
        return [AnnotationDeleted(identity) for identity in _ids(payload.get("annotations"))]
    if action == "TASKS_DELETED":
        return [TasksDeleted(tuple(_ids(payload.get("tasks"))))]
    return []


def saved(annotation: object, scheme: Scheme) -> AnnotationSaved:
    """The event of an annotation from the API or a webhook. Raises BadInput where its form or label is not ours."""
    try:
        parsed = AnnotationPayload.model_validate(annotation)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"an annotation's {place or 'form'}: {first['msg']}") from error
    by = parsed.completed_by
    annotator = str(by.get("id", "unknown") if isinstance(by, dict) else "unknown" if by is None else by)
    return AnnotationSaved(
        parsed.id, parsed.task, _answer(parsed, scheme), annotator, parsed.updated_at.astimezone(UTC)
    )


def _saved(annotation: object, data_of_tasks: Mapping[int, object], scheme: Scheme) -> AnnotationSaved:
    plain = saved(annotation, scheme)
    data = data_of_tasks.get(plain.task_id)
    if not isinstance(data, Mapping):
        return plain
    text_id, text = data.get("text_id"), data.get("text")
    return replace(
        plain, text_id=text_id if isinstance(text_id, str) else None, text=text if isinstance(text, str) else None
    )


def _answer(annotation: AnnotationPayload, scheme: Scheme) -> str | None:
    """The label that the annotator chose; None for a skip."""
    if annotation.was_cancelled:
        return None
    choices: list[object] = []
    for region in annotation.result:
        value = region.get("value")
        if region.get("from_name") == control_name(scheme) and isinstance(value, dict):
            choices += _list(value.get("choices"))
    if len(choices) != 1:
        raise BadInput(f"annotation {annotation.id} has {len(choices)} choices, not one: {choices[:5]!r}")
    try:
        return scheme.label(str(choices[0]))
    except BadInput as error:
        raise BadInput(f"annotation {annotation.id}: {error}") from error


def _ids(things: object) -> list[int]:
    identities = [thing.get("id") if isinstance(thing, Mapping) else thing for thing in _list(things)]
    whole = [int(identity) for identity in identities if identity is not None and _whole(identity)]
    if len(whole) != len(identities) or not whole:
        raise BadInput(f"the ids of what was deleted are no ids: {identities[:5]!r}")
    return whole


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31


def _list(value: object) -> Sequence[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
