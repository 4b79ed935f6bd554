"""YAML is read alike by libyaml and by the loader that explains mistakes."""

from pathlib import Path

import pytest
from muster import documents
from muster.problems import SettingsError

VALID = "expected a valid YAML document"
ROOT = Path(__file__).resolve().parents[2]
FILES = sorted([*ROOT.glob("stacks/*.yaml"), *ROOT.glob("runtimes/*.yaml"), *ROOT.glob("workloads/*/job.yaml")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_of_the_project_means_the_same_to_both(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    swift = documents.load(file.read_bytes(), "FILE")
    monkeypatch.setattr(documents, "_Swift", documents._Loader)
    assert documents.load(file.read_bytes(), "FILE") == swift


@pytest.mark.parametrize("loader", ["_Swift", "_Loader"])
def test_scalars_are_those_of_yaml_1_2(loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "_Swift", getattr(documents, loader))
    text = b"{a: yes, b: 1:30, c: 0o17, d: 010, e: 1e3, f: True, g: ~, h: 2026-12-01, i: '1'}"
    assert documents.load(text, "FILE") == {
        "a": "yes",
        "b": "1:30",
        "c": 15,
        "d": 10,
        "e": 1000.0,
        "f": True,
        "g": None,
        "h": "2026-12-01",
        "i": "1",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: 1\na: 2\n", "FILE: a: found the key again in line 2; expected it once (it stands in line 1 already)"),
        (b"a: [1\nb: 2\n", f"FILE: line 2: found broken YAML (expected ',' or ']', but got ':'); {VALID}"),
        (b"a:\n\tb: 1\n", "FILE: line 2: found a tab; expected spaces: YAML is not indented by tabs"),
        (b"a: !!int x\n", "FILE: a: found the tag !!int in line 1; expected a value without a tag"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_the_same_words_whoever_saw_it(text: bytes, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        documents.load(text, "FILE")
    assert str(caught.value) == said
