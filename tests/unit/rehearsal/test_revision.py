"""A revision beside the working tree, in a repository made for the test."""

import subprocess
from pathlib import Path

import pytest

from local.problem import Problem
from rehearsal import revision

LOCKED = "infra/muster/releases.yaml"


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    done = subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "checkout"
    for name, text in {
        "a.txt": "one",
        "b.txt": "one",
        "gone.txt": "one",
        LOCKED: "set: 1",
        ".gitignore": "/charts/\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=base")
    (root / "charts").mkdir()
    monkeypatch.setattr(revision, "ROOT", root)
    return root


def test_a_revision_is_a_commit(checkout: Path) -> None:
    assert revision.commit("main") == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["nowhere", "--all", "HEAD:a.txt"])
@pytest.mark.usefixtures("checkout")
def test_another_word_is_none(name: str) -> None:
    with pytest.raises(Problem, match="is no revision of this checkout"):
        revision.commit(name)


def test_differences_are_those_of_the_working_tree(checkout: Path) -> None:
    base = revision.commit("main")
    (checkout / "a.txt").write_text("two")
    (checkout / "gone.txt").unlink()
    (checkout / "new name.txt").write_text("new")
    (checkout / "charts" / "ignored.txt").write_text("new")
    git(checkout, "commit", "--quiet", "--all", "--message=head")
    (checkout / "b.txt").write_text("not committed")
    assert revision.differences(base) == ("a.txt", "b.txt", "gone.txt", "new name.txt")


def test_the_files_are_those_of_the_revision(checkout: Path, tmp_path: Path) -> None:
    base = revision.commit("main")
    (checkout / "a.txt").write_text("two")
    into = tmp_path / "base"
    into.mkdir()
    assert revision.extract(base, into) == into
    assert (into / "a.txt").read_text() == "one"
    assert (into / "charts").resolve() == checkout / "charts"


@pytest.mark.parametrize(("code", "made"), [("Path('charts').mkdir()", True), ("raise SystemExit('no module')", False)])
def test_a_revision_with_other_charts_makes_its_own(checkout: Path, tmp_path: Path, code: str, made: bool) -> None:
    (checkout / "local").mkdir()
    (checkout / "local" / "__main__.py").write_text(f"from pathlib import Path\n{code}\n")
    git(checkout, "add", "local")
    git(checkout, "commit", "--quiet", "--message=charts")
    base = revision.commit("main")
    (checkout / LOCKED).write_text("set: 2")
    into = tmp_path / "base"
    into.mkdir()
    if made:
        revision.extract(base, into)
    else:
        with pytest.raises(Problem, match=f"the charts of {base} can't be made: no module"):
            revision.extract(base, into)
    assert (into / "charts").is_dir() == made
    assert not (into / "charts").is_symlink()
