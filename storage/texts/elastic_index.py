"""The index of the texts: found first, made only where it is missing, and checked by the types of its fields.

The trap: a bulk into a missing index makes the index, with types that Elasticsearch guesses. So the index is looked up
before every bulk, and a template gives our mapping to an index that a bulk makes between the look and the write.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from elasticsearch import ApiError, BadRequestError, Elasticsearch, NotFoundError

from storage.errors import BadInput, Part, Refused
from storage.texts.elastic_connection import CREDENTIALS, ElasticConnection
from storage.texts.elastic_documents import MAPPING, SETTINGS

TEMPLATE_PRIORITY = 500
"""Above the templates that Elasticsearch brings for `*-*` patterns (200 and below)."""
ALIKE: Mapping[str, frozenset[str]] = {
    "text": frozenset({"text", "match_only_text"}),
    "date": frozenset({"date", "date_nanos"}),
}
"""Types that serve as well as the type of our mapping."""


class ElasticIndex:
    """The index, or the alias of one, that the settings name. `is_alias` is known after `prepare`."""

    def __init__(self, connection: ElasticConnection, name: str) -> None:
        self.name = name
        self.is_alias = False
        self._connection = connection

    def prepare(self, client: Elasticsearch) -> None:
        """Find the index, or make it with our mapping, and add fields that a newer finloop needs.

        Raises BadInput where the name stands for something that cannot hold texts, Refused where the index is missing
        and the account may not make it.
        """
        found = self._mappings(client) or self._make(client)
        if len(found) > 1:  # a text has its id once in an index, not once in an alias
            names = ", ".join(sorted(found))
            raise self._unfit(f"is an alias of {len(found)} indices ({names}); name an alias of one of them")
        for index, mapping in found.items():
            if index.startswith(".ds-"):
                raise self._unfit("is a data stream, which cannot hold texts that change")
            self.is_alias = index != self.name
            if faults := list(_faults(mapping, MAPPING["properties"])):
                raise self._unfit(f"holds something else than finloop's texts: {'; '.join(faults[:3])}")
            self._add_fields(client, index, mapping)

    def make_if_missing(self) -> None:
        """Make an index that was deleted while this process had it open. The texts in it are gone."""
        client = self._connection.client
        if not self.is_alias and not client.indices.exists(index=self.name):
            self.prepare(client)

    def _mappings(self, client: Elasticsearch) -> dict[str, Mapping[str, Any]]:
        """Index -> mapping of the index, or of all indices of the alias; empty where there is none."""
        try:
            response = client.indices.get_mapping(index=self.name)
        except NotFoundError:
            return {}
        return {index: found["mappings"] for index, found in response.items()}

    def _make(self, client: Elasticsearch) -> dict[str, Mapping[str, Any]]:
        self._put_template(client)
        try:
            client.indices.create(index=self.name, mappings=MAPPING, settings=SETTINGS)
        except BadRequestError as error:
            if error.message != "resource_already_exists_exception":
                raise
        except ApiError as error:
            if error.status_code not in CREDENTIALS:
                raise
            raise Refused(
                f"there is no index {self.name} at {self._connection.address}, and this account may not make it",
                Part.ELASTICSEARCH_INDEX,
            ) from error
        return self._mappings(client)

    def _put_template(self, client: Elasticsearch) -> None:
        """Store our mapping as a template of this one name. Not every account may, and the look-up works without."""
        try:
            client.indices.put_index_template(
                name=self.name,
                index_patterns=[self.name],
                priority=TEMPLATE_PRIORITY,
                template={"mappings": MAPPING, "settings": SETTINGS},
            )
        except ApiError as error:
            if error.status_code not in (*CREDENTIALS, 400):
                raise

    def _add_fields(self, client: Elasticsearch, index: str, mapping: Mapping[str, Any]) -> None:
        missing = {
            name: field for name, field in MAPPING["properties"].items() if name not in mapping.get("properties", {})
        }
        if not missing:
            return
        try:
            client.indices.put_mapping(index=index, properties=missing)
        except ApiError as error:
            raise self._unfit(f"lacks the fields {', '.join(missing)}, and {error.message}") from error

    def _unfit(self, why: str) -> BadInput:
        return BadInput(f"the index {self.name} at {self._connection.address} {why}", Part.ELASTICSEARCH_INDEX)


def _faults(mapping: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """What makes a mapping unfit for our texts. A mapping without any field of ours holds something else."""
    if mapping.get("_source", {}).get("enabled") is False:
        yield "its _source is switched off"
    there = mapping.get("properties", {})
    if there and "text_id" not in there:
        yield "it has no field text_id"
    yield from _wrong_types(there, wanted, "")


def _wrong_types(there: Mapping[str, Any], wanted: Mapping[str, Any], above: str) -> Iterator[str]:
    for name, field in wanted.items():
        if name not in there:
            if above:
                yield f"it has no field {above}{name}"
            continue
        kind, found = field.get("type", "object"), there[name].get("type", "object")
        if found not in ALIKE.get(kind, {kind}):
            yield f"the field {above}{name} is {found}, not {kind}"
        elif "properties" in field:
            yield from _wrong_types(there[name].get("properties", {}), field["properties"], f"{above}{name}.")
