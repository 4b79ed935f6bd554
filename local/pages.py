"""`python -m local.pages`: whether what the documentation names is there: pages, anchors, files, commands, options.

Commands and files are looked for in code alone, so that prose is free. A name in capitals stands for the reader's own.
"""

import importlib.util
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from muster import cli
from muster.problems import hint

from local import reference
from local.places import ROOT
from local.progress import console

GLOBS = ("*.md", "docs/**/*.md", "workloads/*/*.md", "policies/*.md", ".github/*.md")
FENCE = re.compile(r"^( *)(```|~~~)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
INLINE = re.compile(r"`([^`]+)`")
HEADING = re.compile(r"^#{1,6} +(.*)$")
OUTSIDE = re.compile(r"[a-z][a-z+.-]*:")
"""Links with a scheme lead out of the checkout, and are not followed."""
MAKE = re.compile(r"(?<![\w./-])make ((?:[a-z][a-z-]*)(?![\w./-]))")
MUSTER = re.compile(r"(?<![\w./:-])(?:\.venv/bin/)?muster ([a-z][\w-]*)([^|;&`#]*)")
MODULE = re.compile(r"python3? -m ([\w.]+)")
SCRIPT = re.compile(r"\.venv/bin/([\w-]+)")
FLAG = re.compile(r"(?<!\S)(--[a-z][\w-]*|-[a-z])(?=[\s=]|$)")
TOP = "infra|local|rehearsal|drill|runtimes|workloads|stacks|tests|docs|policies|.github"
FILE = re.compile(rf"(?:{TOP})/[\w./-]*\w")


@dataclass(frozen=True)
class Site:
    """Everything that pages may name."""

    root: Path
    pages: Mapping[str, str]
    """Text of every page by its path from the root."""
    targets: Collection[str]
    commands: Mapping[str, Collection[str]]
    """Options of each command of `muster`."""


def load(root: Path = ROOT) -> Site:
    """The checkout's documentation and what it may name."""
    app: Any = typer.main.get_command(cli.app)
    found = sorted({path for pattern in GLOBS for path in root.glob(pattern)})
    makefile = (root / "Makefile").read_text()
    return Site(
        root=root,
        pages={path.relative_to(root).as_posix(): path.read_text() for path in found},
        targets=set(re.findall(r"^([a-z0-9-]+):", makefile, flags=re.MULTILINE)),
        commands={
            name: {word for option in command.params for word in option.opts if word.startswith("-")} | {"--help"}
            for name, command in app.commands.items()
        },
    )


def problems(site: Site) -> tuple[str, ...]:
    """One sentence for each thing that is named and not there, by page and line."""
    return tuple(
        f"{page}:{number}: {said}"
        for page, text in site.pages.items()
        for number, line, code in _lines(text)
        for said in (*_links(site, page, line, code), *_code(site, line, code))
    )


def outdated(root: Path = ROOT) -> tuple[str, ...]:
    """One sentence for each page of the reference that is not what would be written now."""
    folder = root / reference.FOLDER.relative_to(ROOT)
    pages = reference.pages()
    stale = [name for name, text in pages.items() if not _is(folder / name, text)]
    alien = sorted({path.name for path in folder.glob("*")} - set(pages))
    return (
        *(f"docs/reference/{name}: not what it is written from says; make reference writes it" for name in stale),
        *(f"docs/reference/{name}: a page that make reference does not write; put it elsewhere" for name in alien),
    )


def anchors(text: str) -> tuple[str, ...]:
    """Anchors of a page's headings, as GitHub makes them: https://github.com/gjtorikian/html-pipeline."""
    made: list[str] = []
    for _, line, code in _lines(text):
        if not code and (found := HEADING.match(line)):
            words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", found[1]).lower()
            anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
            made.append(f"{anchor}-{made.count(anchor)}" if anchor in made else anchor)
    return tuple(made)


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Number and text of each line, and whether it is in a block of code."""
    fence = ""
    for number, line in enumerate(text.splitlines(), start=1):
        found = FENCE.match(line)
        if found and fence in ("", found[2]):
            fence = "" if fence else found[2]
            continue
        yield number, line, bool(fence)


def _links(site: Site, page: str, line: str, code: bool) -> Iterator[str]:
    for target in () if code else LINK.findall(INLINE.sub("", line)):
        if OUTSIDE.match(target):
            continue
        path, _, anchor = target.partition("#")
        file = (site.root / page).parent.joinpath(path).resolve() if path else site.root / page
        name = file.relative_to(site.root.resolve()).as_posix() if file.is_relative_to(site.root.resolve()) else ""
        if not name or not file.exists():
            yield f"link to {target}, which is not there"
        elif anchor and name in site.pages and anchor not in anchors(site.pages[name]):
            yield f"link to {target}, but {name} has no heading of that name{hint(anchor, anchors(site.pages[name]))}"


def _code(site: Site, line: str, code: bool) -> Iterator[str]:
    """What is wrong with the commands and files that a line names in code."""
    for span in [line.partition(" #")[0]] if code else INLINE.findall(line):
        for target in MAKE.findall(span):
            if target not in site.targets:
                yield f"make {target}, which is no target{hint(target, site.targets)}"
        yield from _commands(site, span)
        for module in MODULE.findall(span):
            if not _is_module(module):
                yield f"python -m {module}, which is no module"
        for script in SCRIPT.findall(span):
            if not (ROOT / ".venv" / "bin" / script).exists():
                yield f".venv/bin/{script}, which is not installed"
        if not code and FILE.fullmatch(span) and not re.search(r"[A-Z]{2}", span) and not (site.root / span).exists():
            yield f"{span}, which is not there"


def _commands(site: Site, span: str) -> Iterator[str]:
    """What is wrong with calls of `muster` in a piece of code."""
    for name, rest in MUSTER.findall(span):
        if name not in site.commands:
            yield f"muster {name}, which is no command{hint(name, site.commands)}"
            continue
        for flag in FLAG.findall(rest):
            if flag not in site.commands[name]:
                yield f"muster {name} {flag}, which is no option of it{hint(flag, site.commands[name])}"


def _is_module(name: str) -> bool:
    """Whether Python finds a module of that name."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _is(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


if __name__ == "__main__":
    site = load()
    found = (*problems(site), *outdated())
    for said in found:
        console.print(said, style="red", markup=False, soft_wrap=True)
    console.print(f"{len(site.pages)} pages, {len(found)} problems")
    sys.exit(1 if found else 0)
