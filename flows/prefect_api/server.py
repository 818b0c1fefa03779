"""A Prefect server as one home sees it: address, login, and the suffix by which several homes share the server.

Every name that finloop gives to something on the server gets the suffix here, and nowhere else. Flows have none: all
homes run the same flows.
"""

from dataclasses import dataclass

from pydantic import SecretStr


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """A Prefect server; `auth` is its login, `user:password`, where it asks for one."""

    url: str
    auth: SecretStr | None = None
    suffix: str = ""

    def named(self, name: str) -> str:
        """The name on this server of what prefect.yaml or an intent calls `name`.

        Deployments, work pools, the resources of events and the keys of events have it. The keys, because intents of
        two homes may have the same key, and the server ignores the second event of an id.
        """
        return f"{name}{self.suffix}"

    def deployment_path(self, flow: str) -> str:
        """The path in the API of a flow's deployment."""
        return f"/deployments/name/{flow}/{self.named(flow)}"
