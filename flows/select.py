"""Asks annotators about the texts that the champion is least sure of, with its predictions prefilled."""

from prefect import State, flow
from prefect.states import Completed

from flows import artifacts
from flows.steps import asking
from flows.steps.recover import RUN_LEASE
from flows.steps.score import NO_CHAMPION
from flows.wiring.parts import open_parts
from flows.wiring.policies import SelectPolicy
from storage.records import Purpose


@flow(name="select", log_prints=True)
def select(policy: SelectPolicy = SelectPolicy()) -> State[None]:  # noqa: B008 (a frozen default is what the form shows)
    """Reserve the texts of lowest margin and send them to annotators."""
    with open_parts() as parts, parts.leases.hold(asking.ASKING_LEASE, RUN_LEASE, wait=5 * RUN_LEASE):
        champion = parts.registry.champion()
        if champion is None:
            return Completed(message=NO_CHAMPION)
        project = asking.our_project(parts.studio, parts.projects, parts.leases, parts.tasks, parts.wanted_project)
        asked = asking.ask_uncertain(
            parts.studio, project, parts.texts, parts.tasks, parts.scheme, champion.version, policy.size
        )
        artifacts.show_sent(Purpose.SELECT, asked.sent, project.url)
        nothing = (
            None
            if asked.sent or asked.open_before >= policy.size
            else asking.why_nothing(parts.texts, champion.version)
        )
    return Completed(message=nothing or asked.said(project.url))
