"""Image archives, byte for byte."""

import hashlib
import json
import tarfile
from pathlib import Path

import pytest

from local import images


def test_an_archive_holds_one_binary_and_a_folder_for_temporary_files(tmp_path: Path) -> None:
    binary = tmp_path / "tool"
    binary.write_bytes(b"\x7fELF and more")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        images.write_archive(tmp_path / name / "image.tar", "registry.example/tool:v1", binary, "/manager")
    first, second = ((tmp_path / name / "layer.tar").read_bytes() for name in ("one", "two"))
    assert first == second, "the same content is the same layer"
    with tarfile.open(tmp_path / "one" / "image.tar") as archive:
        (manifest,) = json.load(archive.extractfile("manifest.json") or b"")  # type: ignore[arg-type]
        config = json.load(archive.extractfile("config.json") or b"")  # type: ignore[arg-type]
    assert manifest["RepoTags"] == ["registry.example/tool:v1"]
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(first).hexdigest()}"]
    assert config["config"] == {"Entrypoint": ["/manager"], "User": "65532:65532"}
    with tarfile.open(tmp_path / "one" / "layer.tar") as layer:
        assert {entry.name: entry.mode for entry in layer} == {"tmp": 0o1777, "manager": 0o755}


def test_the_deepspeed_image_is_made_again_when_its_inputs_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = images.deepspeed_key()
    assert before == images.deepspeed_key()
    monkeypatch.setattr(images, "CONTEXT", tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    assert images.deepspeed_key() != before


def test_every_controller_image_is_one_that_a_chart_asks_for() -> None:
    wanted = (Path(images.ROOT) / "infra" / "muster" / "releases.yaml").read_text()
    for item in images.CONTROLLERS[1:]:
        _, _, tag = item.reference.rpartition(":")
        assert tag in wanted, item.reference
