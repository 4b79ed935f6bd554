"""Validation errors of pydantic as problems: key, found and expected in the user's words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from muster import schemas
from muster.problems import Problem, hint, one_of, shown
from muster.texts import MISTAKE

Location = Sequence[int | str]
Schema = Mapping[str, Any]

KINDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a map",
    "array": "a list",
}
"""JSON Schema types as people say them."""


def problems(error: ValidationError, model: type[BaseModel], data: object, file: str) -> Iterator[Problem]:
    """One problem for each error that validating `data` as `model` gave, its key as it stands in `data`."""
    schema = schemas.of(model)
    details = error.errors(include_url=False)
    for detail in details:
        if detail["type"] == "too_short" and any(_within(other, detail) for other in details):
            continue  # pydantic counts the items that are right; those that are wrong have errors of their own
        key, found = _place(detail, data)
        yield Problem(file, *_words(detail, key, found, schema))


def _within(inner: ErrorDetails, outer: ErrorDetails) -> bool:
    """Whether an error is of a part of what another error is of."""
    length = len(outer["loc"])
    return len(inner["loc"]) > length and inner["loc"][:length] == outer["loc"]


def _place(detail: ErrorDetails, data: object) -> tuple[str, object]:
    """Dotted key of an error and the value there; parts that name a kind of map and not a key are left out."""
    key, here = "", data
    for number, part in enumerate(detail["loc"]):
        if isinstance(here, dict) and part in here and part != "[key]":
            key, here = f"{key}.{part}", here[part]
        elif isinstance(here, list | tuple) and isinstance(part, int):
            key, here = f"{key}[{part}]", here[part]
        elif detail["type"] == "missing" and number == len(detail["loc"]) - 1:
            key, here = f"{key}.{part}", None
    return key.removeprefix("."), here


def _words(detail: ErrorDetails, key: str, found: object, root: Schema) -> tuple[str, str, str]:
    """Key, found and expected of an error."""
    node = _node(root, root, detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if node.get("writeOnly") and isinstance(found, str | int | float):
        return (key, "a value in the clear", _expected(node))
    if detail["loc"][-1] == "[key]":
        expected = context.get("expected", detail["msg"]) if kind == MISTAKE else "text as a key (put it in quotes)"
        return (key, f"the name {shown(detail['input'])}", expected)
    if kind == "extra_forbidden":
        parent = _node(root, root, detail["loc"][:-1])
        known = parent.get("properties", {})
        return (
            key,
            "an unknown key",
            (one_of(known) if len(known) > 1 else f"only {one_of(known)}") + hint(detail["loc"][-1], known),
        )
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        name = node["discriminator"]["propertyName"]
        tag = found.get(name) if isinstance(found, dict) else None
        known = node["discriminator"]["mapping"]
        return (f"{key}.{name}", shown(tag), one_of(known) + (hint(tag, known) if tag else ""))
    if kind == MISTAKE:
        return (key, shown(found), detail["msg"])
    if kind == "literal_error":
        close = hint(found, node.get("enum", ())) if isinstance(found, str) else ""
        return (key, shown(found), _expected(node) + close)
    if kind == "string_type" and isinstance(found, bool | int | float):
        quoted = (
            f' (in quotes: "{shown(found)}")' if "enum" not in node and not isinstance(node.get("type"), list) else ""
        )
        return (key, shown(found), _expected(node) + quoted)
    return (key, shown(found), _expected(node))


def _expected(node: Schema) -> str:
    """What a schema asks for."""
    if "patternErrorMessage" in node:
        return str(node["patternErrorMessage"]).removeprefix("expected ")
    if "enum" in node or "const" in node:
        options = node.get("enum", [node.get("const")])
        numbers = all(isinstance(option, int) for option in options)
        return f"one of {', '.join(map(str, sorted(options)))}" if numbers else one_of(options)
    if "discriminator" in node:
        return f"a map with the key {node['discriminator']['propertyName']}"
    phrase = KINDS[node["type"]]
    if node.get("required"):
        phrase += f" with {'the key' if len(node['required']) == 1 else 'the keys'} {', '.join(node['required'])}"
    if node.get("minProperties"):
        phrase += " of at least one key"
    if "maxItems" in node:
        phrase += f" of {'exactly ' if node.get('minItems') == node['maxItems'] else 'at most '}{node['maxItems']}"
    elif "minItems" in node:
        phrase += f" of at least {node['minItems']}"
    match node.get("minimum"), node.get("maximum"):
        case (None, None):
            return phrase
        case (low, None):
            return f"{phrase} of at least {low}"
        case (low, high):
            return f"{phrase} from {low} to {high}"


def _node(node: Schema, root: Schema, location: Location) -> Schema:
    """The part of the schema that `location` leads to; union tags in it choose the branch."""
    if "$ref" in node:
        target = root["$defs"][node["$ref"].rpartition("/")[2]]
        return _node({**target, **{key: part for key, part in node.items() if key != "$ref"}}, root, location)
    if not location or location[0] == "[key]":
        return node
    part, rest = location[0], location[1:]
    if "discriminator" in node and part in node["discriminator"]["mapping"]:
        return _node({"$ref": node["discriminator"]["mapping"][part]}, root, rest)
    if part in node.get("properties", {}):
        return _node(node["properties"][part], root, rest)
    if isinstance(part, int) and "items" in node:
        return _node(node["items"], root, rest)
    below = node.get("additionalProperties")
    return _node(below, root, rest) if isinstance(below, dict) else {"type": "object"}
