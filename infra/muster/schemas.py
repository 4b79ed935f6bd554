"""JSON Schemas of this project's models, as editors and error messages use them."""

from typing import Any

from pydantic import BaseModel

NULL = {"type": "null"}


def of(model: type[BaseModel]) -> dict[str, Any]:
    """Schema of a model: no generated titles, optional keys absent and not null, names of map keys as a pattern."""
    made: dict[str, Any] = _tidy(model.model_json_schema())
    return made


def _tidy(node: Any) -> Any:
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {
        key: {name: _tidy(part) for name, part in value.items()} if key in ("properties", "$defs") else _tidy(value)
        for key, value in node.items()
        if not (key == "title" or (key == "default" and value is None))
    }
    options = made.get("anyOf", ())
    if NULL in options:
        del made["anyOf"]
        made = {**next(option for option in options if option != NULL), **made}
    if "patternProperties" in made:
        ((pattern, made["additionalProperties"]),) = made.pop("patternProperties").items()
        made["propertyNames"] = {"pattern": pattern}
    return made
