"""YAML as the Pulumi engine reads it, with every structural mistake named by line or key.

The engine reads YAML 1.2 scalars (`yes` is text, `1:30` is text): https://pkg.go.dev/gopkg.in/yaml.v3#section-readme
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from muster.problems import Problem, SettingsError

Key = tuple[str, ...]
DIGITS = 400
"""More than any number has that means something."""


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2: slow, and says what is wrong and where."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own name


_Swift: type[Any] = _Loader
"""The same on libyaml, from which the engine's reader descends: five times as quick, its complaints are not shown."""

if yaml.__with_libyaml__:

    class _Libyaml(yaml.CSafeLoader):
        yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as above

    _Swift = _Libyaml


def _integer(_: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    if len(node.value) > DIGITS:
        raise yaml.constructor.ConstructorError(None, None, f"a number of over {DIGITS} digits", node.start_mark)
    return int(node.value, 0 if node.value[:2] in ("0o", "0x") else 10)


def _float(_: yaml.SafeLoader, node: yaml.ScalarNode) -> float:
    return float(node.value)


_loaders: set[Any] = {_Loader, _Swift}
for _loader in _loaders:
    for _tag, _pattern, _first in (
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
        ("merge", r"<<", ["<"]),
    ):
        _loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
    _loader.add_constructor("tag:yaml.org,2002:int", _integer)
    _loader.add_constructor("tag:yaml.org,2002:float", _float)


def load(data: bytes, file: str) -> Any:
    """The one document in `data`, None where there is none. Raises SettingsError naming `file`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"the byte 0x{data[error.start]:02x}"
        raise SettingsError([Problem(file, f"line {line}", found, "text in UTF-8")]) from None
    try:
        return _constructed(_Swift(text), file)
    except (yaml.YAMLError, RecursionError):
        # Read again, by the loader that can say what is wrong.
        return _told(text, file)


def _constructed(loader: Any, file: str) -> Any:
    node = loader.get_single_node()
    if node is None:
        return None
    problems = list(_Walk(loader, file).below(node, (), ()))
    if problems:
        raise SettingsError(problems)
    return loader.construct_document(node)


def _told(text: str, file: str) -> Any:
    try:
        return _constructed(_Loader(text), file)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = f"the control character 0x{int(error.character):02x}"
        raise SettingsError([Problem(file, f"line {line}", character, "printable text")]) from None
    except yaml.MarkedYAMLError as error:
        raise SettingsError([_syntax(error, text, file)]) from None
    except RecursionError:
        raise SettingsError([Problem(file, "", "brackets nested too deep", "a few levels")]) from None


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """PyYAML's complaint in words that name the remedy where the cause is a common one."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    lines = text.split("\n")
    said = error.problem or "a mistake"
    if mark is not None and mark.line < len(lines) and "\t" in lines[mark.line][: mark.column + 1]:
        return Problem(file, f"line {line}", "a tab", "spaces: YAML is not indented by tabs")
    if "another document" in said:
        return Problem(file, f"line {line}", "a second document", "one document only")
    return Problem(file, f"line {line}", f"broken YAML ({said.removeprefix('found ')})", "a valid YAML document")


class _Walk:
    """Finds what constructing a document would hide or trip over: repeated keys, keys of other kinds, tags, circles."""

    def __init__(self, loader: Any, file: str) -> None:
        self._loader, self._file = loader, file
        self._seen: set[int] = set()

    def below(self, node: yaml.Node, key: Key, above: tuple[yaml.Node, ...]) -> Iterator[Problem]:
        """Problems of a node and all below it; what aliases share is looked at once."""
        if any(node is parent for parent in above):
            yield self._problem(key, "an alias of something that contains it", "a value that ends")
            return
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if node.tag not in ("tag:yaml.org,2002:str", self._resolved(node)):
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            yield self._problem(key, f"the tag {tag} in line {node.start_mark.line + 1}", "a value without a tag")
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                yield from self.below(item, (*key, str(index)), (*above, node))
        elif isinstance(node, yaml.MappingNode):
            yield from self._entries(node, key, above)

    def _entries(self, node: yaml.MappingNode, key: Key, above: tuple[yaml.Node, ...]) -> Iterator[Problem]:
        lines: dict[str, int] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if not isinstance(name, yaml.ScalarNode):
                found = f"a {'map' if isinstance(name, yaml.MappingNode) else 'list'} as a key in line {line}"
                yield self._problem(key, found, "text as a key (quote what starts with { or [)")
                continue
            path = (*key, name.value)
            if name.value in lines:
                found = f"the key again in line {line}"
                yield self._problem(path, found, f"it once (it stands in line {lines[name.value]} already)")
            lines.setdefault(name.value, line)
            yield from self.below(name, path, ())
            yield from self.below(value, path, (*above, node))

    def _resolved(self, node: yaml.Node) -> str:
        """Tag of a node that has none of its own."""
        return str(self._loader.resolve(type(node), node.value, (True, False)))

    def _problem(self, key: Key, found: str, expected: str) -> Problem:
        return Problem(self._file, ".".join(key), found, expected)
