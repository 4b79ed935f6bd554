"""The documentation names what is there; the reference is what it is written from."""

from pathlib import Path

import pytest
from muster import settings

from local import pages, reference

SITE = pages.load()
TEXT = """# A page

See [the page](page.md#a-page), [outside](https://example.com/nowhere), [mail](mailto:a@example.com).

Run `make up STACK=prod`, `muster plan -s prod`, `muster status --json | jq .jobs` or `python -m local.pages`.
Prose may make sure of everything, and muster courage; `make TARGET`, `workloads/NAME/train.py`,
`docker.io/muster/x:cpu`.

```
$ .venv/bin/muster logs JOB --lines 5   # --not an option, make nothing
eval "$(make env)"; cmake foo; remake up
```
## Same
## Same
### `code`, a [link](page.md) and *more*: yes?
"""


def site(folder: Path, text: str) -> pages.Site:
    (folder / "page.md").write_text(text)
    commands = {"plan": {"--stack", "-s"}, "status": {"--json"}, "logs": {"--lines"}}
    return pages.Site(folder, {"page.md": text}, {"up", "env", "down"}, commands)


def test_nothing_that_the_documentation_names_is_missing() -> None:
    assert pages.problems(SITE) == ()


def test_the_reference_is_up_to_date() -> None:
    assert pages.outdated() == ()


def test_every_page_is_looked_at() -> None:
    assert {"README.md", "docs/architecture.md", "docs/reference/settings.md", "workloads/hello/README.md"} < set(
        SITE.pages
    )


def test_what_is_there_is_no_problem(tmp_path: Path) -> None:
    assert pages.problems(site(tmp_path, TEXT)) == ()


def test_anchors_are_those_that_github_makes() -> None:
    assert pages.anchors(TEXT) == ("a-page", "same", "same-1", "code-a-link-and-more-yes")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[a](gone.md)", "link to gone.md, which is not there"),
        ("[a](../../etc/hosts)", "link to ../../etc/hosts, which is not there"),
        ("[a](#downs)", "link to #downs, but page.md has no heading of that name"),
        ("`make dwon`", "make dwon, which is no target (did you mean down?)"),
        ("```\nsudo make upp\n```", "make upp, which is no target (did you mean up?)"),
        ("`muster statsu`", "muster statsu, which is no command (did you mean status?)"),
        ("`.venv/bin/muster status --jsn`", "muster status --jsn, which is no option of it (did you mean --json?)"),
        ("`muster logs JOB --lines=5 --tail`", "muster logs --tail, which is no option of it"),
        ("`python -m local.nothing`", "python -m local.nothing, which is no module"),
        ("`python3 -m nothing_at_all`", "python -m nothing_at_all, which is no module"),
        ("`.venv/bin/mustard`", ".venv/bin/mustard, which is not installed"),
        ("`infra/muster/gone.py`", "infra/muster/gone.py, which is not there"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, line: str, said: str) -> None:
    number = line.count("\n") + (0 if line.startswith("```") else 1)
    assert pages.problems(site(tmp_path, line)) == (f"page.md:{number}: {said}",)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    found = pages.problems(site(tmp_path, "[a](gone.md) `make dwon`\n\n`muster statsu`\n"))
    assert [said.split(":")[1] for said in found] == ["1", "1", "3"]


def test_a_page_of_the_reference_that_differs_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "docs" / "reference"
    reference.write(folder)
    assert pages.outdated(tmp_path) == ()
    (folder / "cli.md").write_text("by hand")
    (folder / "outputs.md").unlink()
    (folder / "notes.md").write_text("mine")
    assert pages.outdated(tmp_path) == (
        "docs/reference/cli.md: not what it is written from says; make reference writes it",
        "docs/reference/outputs.md: not what it is written from says; make reference writes it",
        "docs/reference/notes.md: a page that make reference does not write; put it elsewhere",
    )


class TestReference:
    def test_settings_are_told_with_values_and_defaults(self) -> None:
        count = {"type": "integer", "minimum": 0, "maximum": 9, "description": "How many."}
        word = {"enum": ["a", "b"], "type": "string", "default": "a", "description": "A|B."}
        pool = {"description": "A pool.", "properties": {"nodes": count, "word": word}, "required": ["nodes"]}
        section = {"type": "object", "description": "Pools.", "additionalProperties": {"$ref": "#/$defs/Pool"}}
        keys = {"properties": {"muster:pools": section}, "required": []}
        made = reference.settings_page({"properties": {"config": keys}, "$defs": {"Pool": pool}})
        assert made.splitlines()[6:] == [
            "| key | value | default | meaning |",
            "|---|---|---|---|",
            "| `muster:pools` | map of name to [Pool](#pool) |  | Pools. |",
            "",
            "## Pool",
            "",
            "A pool.",
            "",
            "| key | value | default | meaning |",
            "|---|---|---|---|",
            "| `nodes` | whole number, 0 to 9 | **required** | How many. |",
            "| `word` | `a`, `b` | `a` | A/B. |",
        ]

    def test_every_definition_of_the_schema_has_a_heading(self) -> None:
        headings = set(pages.anchors(reference.pages()["settings.md"]))
        assert {name.lower() for name in settings.schema()["$defs"]} == headings - {"settings"}

    def test_every_command_and_target_is_there(self) -> None:
        made = pages.anchors(reference.pages()["cli.md"])
        assert {f"muster-{name}" for name in SITE.commands} <= set(made)
        described = {name for name, _ in reference.targets((pages.ROOT / "Makefile").read_text())}
        assert described == {f"`make {name}`" for name in SITE.targets}

    def test_exit_codes_are_those_of_the_launcher(self) -> None:
        made = reference.pages()["exit-codes.md"]
        codes = [line.split("|")[1].strip() for line in made.splitlines() if line[:3].strip("| ").isdigit()]
        assert codes == ["0", "70", "74", "75", "78", "137"]
        assert "| 78 | bad configuration |" in made

    def test_a_launcher_that_tells_no_codes_is_refused(self) -> None:
        with pytest.raises(ValueError, match="Exit codes:"):
            reference.exit_codes_page('"""Nothing."""', None)

    def test_every_output_of_the_program_is_described(self) -> None:
        assert reference.exported(reference.PROGRAM.read_text()) == list(reference.outputs.MEANING)
