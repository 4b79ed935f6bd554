"""What Helm installed: the objects of a release's newest deployed revision, from Helm's own records.

https://helm.sh/docs/topics/advanced/#storage-backends
"""

import base64
import binascii
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

Record = Mapping[str, Any]
"""A Secret of Helm's."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Scalars as Helm's own YAML has them: no times of day, no dates."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rows if tag != "tag:yaml.org,2002:timestamp"]
    for first, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Revision:
    """One deployed revision: the values it was given, and its objects without those of hooks."""

    number: int
    values: Mapping[str, Any]
    objects: tuple[Mapping[str, Any], ...]


class Unreadable(Exception):  # noqa: N818 - a state of the world, not a programming error
    """A record is not what Helm writes; the text says which."""


def deployed(records: Iterable[Record], name: str, namespace: str) -> Revision | None:
    """The newest deployed revision of a release, None where Helm has no record of one. Raises Unreadable."""
    mine = [record for record in of(records, name, namespace) if _labels(record).get("status") == "deployed"]
    newest = max(mine, key=lambda record: int(_labels(record).get("version", 0)), default=None)
    if newest is None:
        return None
    try:
        text = gzip.decompress(base64.b64decode(base64.b64decode(newest["data"]["release"])))
        document = json.loads(text)
        objects = tuple(_objects(document.get("manifest") or ""))
    except (KeyError, TypeError, ValueError, OSError, EOFError, binascii.Error, yaml.YAMLError):
        raise Unreadable(f"Helm's record {namespace}/{newest['metadata']['name']} can't be read") from None
    return Revision(int(document.get("version", 0)), document.get("config") or {}, objects)


def of(records: Iterable[Record], name: str, namespace: str) -> Sequence[Record]:
    """Records of one release."""
    return [
        record
        for record in records
        if _labels(record).get("name") == name and record["metadata"]["namespace"] == namespace
    ]


def _labels(record: Record) -> Mapping[str, str]:
    labels: Mapping[str, str] = record["metadata"].get("labels") or {}
    return labels


def _objects(manifest: str) -> Iterator[Mapping[str, Any]]:
    for document in yaml.load_all(manifest, Loader=_Loader):
        if not isinstance(document, dict):
            continue
        if isinstance(document.get("items"), list) and str(document.get("kind", "")).endswith("List"):
            yield from (_plain(item) for item in document["items"])
        else:
            yield _plain(document)


def _plain(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The object as the API server keeps it: text of a Secret in base64."""
    texts = document.get("stringData")
    if document.get("kind") != "Secret" or not isinstance(texts, dict):
        return document
    data = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
    rest = {key: value for key, value in document.items() if key != "stringData"}
    return {**rest, "data": {**(document.get("data") or {}), **data}}
