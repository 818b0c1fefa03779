"""Asks annotators about the texts that the champion is least sure of, with its answer prefilled."""

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts
from flows.steps import asking
from flows.steps.score import NO_CHAMPION
from flows.wiring.parts import open_parts
from flows.wiring.policies import SelectPolicy
from storage.records import Purpose


@flow(name="select", log_prints=True)
def select(policy: SelectPolicy = SelectPolicy()) -> State[None]:  # noqa: B008 (a frozen default is what the form shows)
    """Reserve the texts of lowest margin and send them to annotators."""
    with open_parts() as parts:
        champion = parts.registry.champion()
        if champion is None:
            return Completed(message=NO_CHAMPION)
        project = asking.our_project(parts)
        asking.recover(parts, project)
        sent = asking.send(parts, project, asking.reserve_uncertain(parts, champion, policy))
        artifacts.show_sent(Purpose.SELECT, sent, project.url)
        said = f"{len(sent)} texts sent to {project.url}" if sent else asking.why_nothing(parts, champion)
    return Completed(message=said)
