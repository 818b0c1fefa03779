"""Webhooks as events. This module checks a payload's form and labels, and `labeling.answer.record` checks whether its
task is ours. Labels need the check, because Label Studio accepts answers that its own labelling config does not have.

The trap: an annotation is not always an answer of a person. "Create annotations from predictions" copies the model's
own answers, hundreds with one click. Such a copy names its prediction, and has no lead time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, ValidationError

from labeling.studio.interface import control_name
from storage.errors import BadInput
from storage.labels.projects import Project
from storage.records import Annotation, LabelTask
from storage.scheme import Scheme

EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
FAR = datetime(2200, 1, 1, tzinfo=UTC)


def _plausible(moment: datetime) -> datetime:
    if not EPOCH < moment < FAR:
        raise ValueError("a time that no annotation can have")
    return moment


Identity = Annotated[int, Field(ge=1, le=2**31 - 1)]
Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]


COPYING = frozenset({"prediction", "imported", "propagated_annotation"})
"""The actions by which Label Studio notes that an annotation was made from something else."""


class AnnotationPayload(BaseModel):
    """The fields of Label Studio's annotation that we use."""

    id: Identity
    task: Identity
    result: list[dict[str, Any]] | None = None
    was_cancelled: bool = False
    completed_by: int | dict[str, Any] | None = None
    updated_by: int | dict[str, Any] | None = None
    updated_at: Moment
    lead_time: float | None = None
    parent_prediction: int | None = None
    import_id: int | None = None
    bulk_created: bool | None = None
    last_action: str | None = None

    @property
    def is_copy(self) -> bool:
        """Whether a click on many tasks, or an import, made this annotation, and nobody worked on it since."""
        made_for = self.parent_prediction is not None or self.import_id is not None or self.bulk_created
        return self.lead_time is None and bool(made_for or self.last_action in COPYING)


@dataclass(frozen=True, slots=True)
class AnnotationSaved:
    """An annotation was made or changed. `text_id` and `text` come from the task's data, and may be wrong.

    `open` says why the annotation holds no answer (empty: nothing is chosen); None where it holds one.
    `is_copy`: nobody worked on the annotation. `edited`: somebody saved it after it was made.
    `prefilled`: it began as the model's prediction.
    """

    annotation_id: int
    task_id: int
    label: str | None
    annotator: str
    updated_at: datetime
    text_id: str | None = None
    text: str | None = None
    open: str | None = None
    is_copy: bool = False
    edited: bool = False
    prefilled: bool = False

    def of_task(self, project: Project, task: LabelTask) -> Annotation | None:
        """The annotation as a record of our task; None where nobody gave it, because it copies the model's answer.

        A copy that somebody saved with another label than the prefilled one is an answer.
        """
        shown = task.prediction.label if task.prediction is not None else None
        same = self.label is not None and self.label == shown
        if self.is_copy and (same or not self.edited):
            return None
        return Annotation(
            project.annotation(self.annotation_id),
            self.task_id,
            task.text_id,
            self.label,
            self.annotator,
            self.updated_at,
            open=self.open is not None,
            untouched=self.prefilled and same,
        )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An annotation whose form is not Label Studio's; `reason` says what is wrong."""

    reason: str


@dataclass(frozen=True, slots=True)
class AnnotationDeleted:
    """An annotation was deleted. The webhook does not name its task."""

    annotation_id: int


@dataclass(frozen=True, slots=True)
class TasksDeleted:
    """Tasks are gone, and their annotations with them; the labels stay."""

    task_ids: tuple[int, ...]


Event = AnnotationSaved | AnnotationDeleted | TasksDeleted | Unreadable


def project_of(payload: Mapping[str, Any]) -> int | None:
    """The id of the project that a webhook is about, or None."""
    project = payload.get("project")
    identity = project.get("id") if isinstance(project, Mapping) else project
    return identity if isinstance(identity, int) and not isinstance(identity, bool) else None


def events(action: str, payload: Mapping[str, Any], scheme: Scheme) -> list[Event]:
    """The events in a webhook; none for an action that is not about answers. Raises BadInput saying what is wrong.

    Of many annotations, one that cannot be read is an event of its own: the others count.
    """
    if action in {"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED"}:
        annotations, tasks = _list(payload.get("annotation")), _list(payload.get("task"))
        data = {task["id"]: task.get("data") for task in tasks if isinstance(task, Mapping) and _whole(task.get("id"))}
        return [_saved(annotation, data, scheme) for annotation in annotations]
    if action == "ANNOTATIONS_DELETED":
        return [AnnotationDeleted(identity) for identity in _ids(payload.get("annotations"))]
    if action == "TASKS_DELETED":
        return [TasksDeleted(tuple(_ids(payload.get("tasks"))))]
    return []


def annotations_of(payload: Mapping[str, Any]) -> set[int]:
    """The ids of the annotations that a webhook is about, as far as they can be read."""
    named = [*_list(payload.get("annotation")), *_list(payload.get("annotations"))]
    return {one["id"] for one in named if isinstance(one, Mapping) and _whole(one.get("id"))}


def saved(annotation: object, scheme: Scheme) -> AnnotationSaved:
    """The event of an annotation from the API or a webhook. Raises BadInput where its form is not Label Studio's."""
    try:
        parsed = AnnotationPayload.model_validate(annotation)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"an annotation's {place or 'form'}: {first['msg']}") from error
    label, missing = _answer(parsed, scheme)
    by = parsed.updated_by or parsed.completed_by
    return AnnotationSaved(
        parsed.id,
        parsed.task,
        label,
        str(by.get("id", "unknown") if isinstance(by, dict) else "unknown" if by is None else by),
        parsed.updated_at.astimezone(UTC),
        open=missing,
        is_copy=parsed.is_copy,
        edited=parsed.updated_by is not None,
        prefilled=parsed.parent_prediction is not None,
    )


def _saved(annotation: object, data_of_tasks: Mapping[int, object], scheme: Scheme) -> AnnotationSaved | Unreadable:
    try:
        plain = saved(annotation, scheme)
    except BadInput as error:
        return Unreadable(str(error))
    data = data_of_tasks.get(plain.task_id)
    if not isinstance(data, Mapping):
        return plain
    text_id, text = data.get("text_id"), data.get("text")
    return replace(
        plain, text_id=text_id if isinstance(text_id, str) else None, text=text if isinstance(text, str) else None
    )


def _answer(annotation: AnnotationPayload, scheme: Scheme) -> tuple[str | None, str | None]:
    """The label that the annotator chose, None for a skip; and why there is no answer, None where there is one."""
    if annotation.was_cancelled:
        return None, None
    said: list[object] = []
    for region in annotation.result or []:
        value = region.get("value")
        if region.get("from_name") == control_name(scheme) and isinstance(value, dict):
            said += _list(value.get("choices"))
    try:
        labels = {scheme.label(str(one)) for one in said}
    except BadInput as error:
        return None, f"annotation {annotation.id}: {error}"
    if not labels:
        return None, ""
    if len(labels) != 1:
        return None, f"annotation {annotation.id} has {len(labels)} choices, not one: {said[:5]!r}"
    return labels.pop(), None


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
