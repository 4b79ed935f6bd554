"""`python -m local.reference`: the pages of docs/reference, written from what they describe."""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from muster import cli, outputs, settings

from local.places import ROOT
from local.progress import console

FOLDER = ROOT / "docs" / "reference"
PROGRAM = ROOT / "infra" / "muster" / "program.py"
LAUNCHER = ROOT / "runtimes" / "launcher" / "entrypoint.py"
NOTE = "<!-- Written by make reference. Edit what it is written from. -->"
Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Text of every page by file name."""
    app = typer.main.get_command(cli.app)
    return {
        "settings.md": settings_page(settings.schema()),
        "cli.md": cli_page(app, (ROOT / "Makefile").read_text()),
        "exit-codes.md": exit_codes_page(LAUNCHER.read_text(), app),
        "outputs.md": outputs_page(outputs.MEANING),
    }


def settings_page(schema: Schema) -> str:
    """Every key of a stack file, section by section."""
    sections = schema["properties"]["config"]["properties"]
    required = schema["properties"]["config"]["required"]
    definitions = schema["$defs"]
    seen: dict[str, None] = {}
    for part in sections.values():
        _collect(part, definitions, seen)
    rows = [_key(name, part, name in required) for name, part in sections.items()]
    lines = [
        "# Settings",
        NOTE,
        "",
        "Keys of `stacks/Pulumi.NAME.yaml` below `config`. Unknown keys are mistakes. Editors know all of this from",
        "[stack.schema.json](../../infra/muster/stack.schema.json).",
        "",
        *_table(("key", "value", "default", "meaning"), rows),
    ]
    for name in seen:
        part = definitions[name]
        rows = [_key(key, value, key in part.get("required", ())) for key, value in part["properties"].items()]
        lines += ["", f"## {name}", "", part["description"], ""]
        lines += _table(("key", "value", "default", "meaning"), rows)
    return "\n".join(lines) + "\n"


def _collect(part: Any, definitions: Schema, seen: dict[str, None]) -> None:
    """Names of the definitions that a part refers to, in the order of reading."""
    if isinstance(part, Mapping):
        for key, value in part.items():
            name = str(value).rpartition("/")[2]
            if key == "$ref" and name not in seen:
                seen[name] = None
                _collect(definitions[name], definitions, seen)
            elif key not in ("$ref", "discriminator"):
                _collect(value, definitions, seen)
    elif isinstance(part, list):
        for item in part:
            _collect(item, definitions, seen)


def _key(name: str, part: Schema, required: bool) -> tuple[str, ...]:
    default = part.get("default")
    plain = isinstance(default, str | bool | int | float)
    shown = f"`{json.dumps(default) if not isinstance(default, str) else default}`" if plain else ""
    return f"`{name}`", _value(part), "**required**" if required else shown, part.get("description", "")


def _value(part: Schema) -> str:
    """What a key may hold, in words."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if options := part.get("oneOf") or part.get("anyOf"):
        return " or ".join(_value(option) for option in options)
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return ", ".join(f"`{word}`" for word in part["enum"])
    if part.get("type") == "array":
        return f"list of {_value(part['items'])}"
    if part.get("type") == "object":
        return f"map of name to {_value(part['additionalProperties'])}"
    if "patternErrorMessage" in part:
        return str(part["patternErrorMessage"]).removeprefix("expected ")
    return _range(part, {"boolean": "`true` or `false`", "integer": "whole number", "string": "text"})


def _range(part: Schema, words: Mapping[str, str]) -> str:
    word = words.get(part["type"], str(part["type"]))
    low, high = part.get("minimum"), part.get("maximum")
    if low is not None and high is not None:
        return f"{word}, {low} to {high}"
    above = part.get("exclusiveMinimum", low)
    return word if above is None else f"{word} {'from' if low is not None else 'above'} {above}"


def cli_page(app: Any, makefile: str) -> str:
    """Every command of `muster` with its options, and every target of `make`."""
    lines = ["# Commands", NOTE, "", "## muster", "", "The console script is `.venv/bin/muster`. " + app.help]
    for name, command in app.commands.items():
        arguments = [option for option in command.params if option.param_type_name == "argument"]
        usage = " ".join([f"muster {name}", *(option.name.upper() for option in arguments)])
        lines += ["", f"### muster {name}", "", f"`{usage}`", "", *_paragraphs(command.help), ""]
        if command.params:
            lines += _table(("option", "default", "meaning"), [_option(option) for option in command.params])
    lines += ["", "## make", "", *_table(("target", "does"), targets(makefile))]
    return "\n".join(lines).rstrip() + "\n"


def _paragraphs(text: str) -> list[str]:
    """Help as Markdown: the lines of a paragraph are joined."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")).split("\n")


def _option(option: Any) -> tuple[str, ...]:
    names = option.name.upper() if option.param_type_name == "argument" else ", ".join(option.opts)
    shown = "" if option.default in (None, "", False) or option.required else f"`{option.default}`"
    return f"`{names}`", "**required**" if option.required else shown, option.help or ""


def targets(makefile: str) -> list[tuple[str, str]]:
    """Targets of the Makefile that have a description."""
    found = re.findall(r"^([a-z0-9-]+):.*?## (.*)$", makefile, flags=re.MULTILINE)
    return [(f"`make {name}`", text) for name, text in found]


def exit_codes_page(launcher: str, app: Any) -> str:
    """Exit codes of a gang's pods, as their PID 1 tells them, and of the commands."""
    tree = ast.parse(launcher)
    told = re.search(r"Exit codes: (.*?); (any other .*?)\.", " ".join((ast.get_docstring(tree) or "").split()))
    if told is None:
        raise ValueError("the launcher's docstring has no sentence that begins with: Exit codes:")
    rows = [(f"{code}", text) for code, text in re.findall(r"(\d+) ([^,]+)", told[1])]
    commands = [(f"`muster {name}`", text) for name, text in _codes(app)]
    return "\n".join(
        [
            "# Exit codes",
            NOTE,
            "",
            "## Pods of a gang",
            "",
            f"From [entrypoint.py](../../runtimes/launcher/entrypoint.py); {told[2]}. Which of them are tried again",
            "is in [Runtimes](../runtimes.md#how-a-gang-lives-and-ends).",
            "",
            *_table(("code", "means"), rows),
            "",
            "## Commands",
            "",
            "0 is done, 1 a mistake in a stack file or something that could not be read, with one sentence each on",
            "stderr, 2 a wrong option. `make` itself ends with 2 when a target fails. Beyond that:",
            "",
            *_table(("command", "codes"), commands),
            "",
        ]
    )


def _codes(app: Any) -> Iterator[tuple[str, str]]:
    """What the help of each command says of its exit codes."""
    for name, command in app.commands.items():
        for paragraph in _paragraphs(command.help):
            if paragraph.startswith("Exit code"):
                yield name, paragraph


def outputs_page(meaning: Mapping[str, str]) -> str:
    """What a stack exports."""
    rows = [(f"`{name}`", text) for name, text in meaning.items()]
    head = [
        "# Outputs",
        NOTE,
        "",
        'After `eval "$(make env STACK=prod)"`: `pulumi stack output --stack prod NAME`.',
        "",
    ]
    return "\n".join([*head, *_table(("output", "holds"), rows)]) + "\n"


def exported(program: str) -> list[str]:
    """Names that the program's source exports."""
    calls = (node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Call))
    named = (call.args[0] for call in calls if ast.unparse(call.func) == "pulumi.export")
    return [str(name.value) for name in named if isinstance(name, ast.Constant)]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [_line(head), f"|{'---|' * len(head)}", *map(_line, rows)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(' '.join(cell.replace('|', '/').split()) for cell in cells)} |"


def write(folder: Path = FOLDER) -> None:
    """Write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    write()
    console.print(f"written: {', '.join(sorted(pages()))} in {FOLDER.relative_to(ROOT)}")
