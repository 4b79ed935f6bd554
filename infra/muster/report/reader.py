"""What reports ask of a cluster, whoever answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Object = dict[str, Any]
"""A Kubernetes object as the API server sends it."""


class Reader(Protocol):
    """Reads of one cluster's API. Every method may raise Unreachable."""

    def get(self, path: str, **params: str) -> Object | None:
        """Object or list at an API path; None when there is none, or when its kind is unknown to the cluster."""

    def table(self, path: str, **params: str) -> Object | None:
        """A list as rows of the columns that kubectl prints, a small part of its size; None as for `get`.

        https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
        """

    def log(self, namespace: str, pod: str, lines: int) -> list[str]:
        """Last `lines` log lines of the pod's container `node`; empty when there is no log."""


class Unreachable(Exception):  # noqa: N818 - a state of the world, not a programming error
    """The API server did not answer; the text says which one and why."""


def items(listing: Mapping[str, Any] | None) -> Sequence[Mapping[str, Any]]:
    """Objects of a list; none where there is no list."""
    found: Sequence[Mapping[str, Any]] = (listing or {}).get("items") or ()
    return found


@dataclass(frozen=True)
class Row:
    """One object of a table: its metadata, and its cells by column."""

    metadata: Mapping[str, Any]
    cells: Mapping[str, Any]

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return str(self.metadata.get("namespace", "")), str(self.metadata["name"])


def rows(table: Mapping[str, Any] | None) -> list[Row]:
    """Rows of a table; none where there is no table."""
    names = [column["name"] for column in (table or {}).get("columnDefinitions") or ()]
    return [
        Row(row["object"]["metadata"], dict(zip(names, row["cells"], strict=False)))
        for row in (table or {}).get("rows") or ()
    ]
