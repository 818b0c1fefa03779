"""Asks annotators about the texts that the champion is least sure of, with its answer prefilled."""

from prefect import flow

from flows import artifacts, labelwork, wiring
from flows.policies import SelectPolicy
from storage.records import Purpose


@flow(name="select", log_prints=True)
def select(policy: SelectPolicy = SelectPolicy()) -> int:  # noqa: B008 (a frozen default is what the form shows)
    """Reserve the texts of lowest margin and send them to annotators."""
    with wiring.parts() as parts:
        project = labelwork.our_project(parts)
        labelwork.recover(parts, project)
        reserved = labelwork.reserve_uncertain(parts, policy)
        sent = labelwork.send(parts, project, reserved)
        artifacts.sent(Purpose.SELECT, sent, project.url)
    return len(sent)
