"""What the checkout holds beside stack files: runtime templates, the launcher and workloads."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from muster import documents, mistakes, names
from muster.problems import Problem, SettingsError, shown
from muster.texts import MISTAKE

Document = Mapping[str, Any]
NODE = "node"
"""Name that Trainer's torch plugin asks of the replicated job and of its container.

https://github.com/kubeflow/trainer/blob/v2.3.0/pkg/constants/constants.go
"""
SERVING_PORT = "http"
"""Name of the container port by which a runtime says that its jobs serve."""
GANG = "gang.yaml"
"""File beside the launcher with what every runtime has in common."""
NOT_MOUNTED = ("job.yaml", "README.md")
"""Files of a workload that its pods don't see."""


@dataclass(frozen=True)
class Template:
    """A runtime manifest, completed with what all have in common, that lacks what pool and gang backend decide.

    `file` is its path in the checkout.
    """

    name: str
    file: str
    document: Document


@dataclass(frozen=True)
class Workload:
    """A TrainJob manifest that lacks what the stack decides, and the files its pods find in /workload."""

    name: str
    file: str
    document: Document
    files: Mapping[str, str]


@dataclass(frozen=True)
class Repository:
    """Templates and workloads by name; `launcher` is the text of the program that is PID 1 in every pod."""

    templates: Mapping[str, Template]
    workloads: Mapping[str, Workload]
    launcher: str


class _Loose(BaseModel):
    """The part of a manifest that this project relies on; the rest is the API server's to judge."""

    model_config = ConfigDict(strict=True, extra="ignore", alias_generator=to_camel)


class _Named(_Loose):
    name: str


def _has_node(containers: list[_Named]) -> list[_Named]:
    if NODE not in [container.name for container in containers]:
        raise PydanticCustomError(MISTAKE, "a list with a container node")
    return containers


def _free(name: str) -> str:
    if names.is_reserved_env(name):
        raise PydanticCustomError(MISTAKE, "another name: this variable is set for every process")
    return name


class _PodSpec(_Loose):
    containers: Annotated[list[_Named], AfterValidator(_has_node)]


class _PodTemplate(_Loose):
    spec: _PodSpec


class _JobSpec(_Loose):
    template: _PodTemplate


class _StepLabels(_Loose):
    step: Literal["trainer"] = Field(alias="trainer.kubeflow.org/trainjob-ancestor-step")


class _StepMetadata(_Loose):
    labels: _StepLabels


class _JobTemplate(_Loose):
    metadata: _StepMetadata
    spec: _JobSpec


class _ReplicatedJob(_Loose):
    name: Literal["node"]
    template: _JobTemplate


class _JobSetSpec(_Loose):
    replicated_jobs: list[_ReplicatedJob] = Field(min_length=1, max_length=1)


class _JobSetTemplate(_Loose):
    spec: _JobSetSpec


class _Policy(_Loose):
    torch: dict[str, Any]


class _RuntimeSpec(_Loose):
    ml_policy: _Policy
    template: _JobSetTemplate


class _Runtime(_Loose):
    api_version: Literal["trainer.kubeflow.org/v1alpha1"]
    kind: Literal["ClusterTrainingRuntime"]
    spec: _RuntimeSpec


class _Variable(_Loose):
    name: Annotated[str, AfterValidator(_free)]


class _Trainer(_Loose):
    args: list[str] = Field(min_length=1)
    env: list[_Variable] = []


class _JobManifestSpec(_Loose):
    trainer: _Trainer


class _TrainJob(_Loose):
    api_version: Literal["trainer.kubeflow.org/v1alpha1"]
    kind: Literal["TrainJob"]
    spec: _JobManifestSpec


def load(root: Path) -> Repository:
    """Everything under runtimes/ and workloads/ of a checkout. Raises SettingsError with every mistake."""
    problems: list[Problem] = []
    common: Document = {}
    try:
        common = _document(root, root / "runtimes" / "launcher" / GANG)
    except SettingsError as error:
        problems += error.problems

    def template(root: Path, path: Path) -> Template:
        document = completed(common, _document(root, path))
        _check(_Runtime, document, str(path.relative_to(root)))
        return Template(path.stem, str(path.relative_to(root)), document)

    templates = _gather(root, sorted(root.glob("runtimes/*.yaml")), template, problems)
    workloads = _gather(root, sorted(path for path in root.glob("workloads/*") if path.is_dir()), _workload, problems)
    launcher = ""
    try:
        launcher = _text(root, root / "runtimes" / "launcher" / "entrypoint.py")
    except SettingsError as error:
        problems += error.problems
    if problems:
        raise SettingsError(problems)
    return Repository({one.name: one for one in templates}, {one.name: one for one in workloads}, launcher)


def node_pod(runtime: Document) -> Document:
    """The spec of the pods of a runtime's manifest."""
    (job,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    pod: Document = job["template"]["spec"]["template"]["spec"]
    return pod


def node_container(runtime: Document) -> Document:
    """The container `node` of a runtime's manifest."""
    containers: list[Document] = node_pod(runtime)["containers"]
    return next(container for container in containers if container["name"] == NODE)


def serves(runtime: Document) -> bool:
    """Whether jobs of a runtime's manifest answer requests instead of coming to an end."""
    return any(port.get("name") == SERVING_PORT for port in node_container(runtime).get("ports", []))


T = TypeVar("T")


def _gather(root: Path, paths: list[Path], read_one: Callable[[Path, Path], T], problems: list[Problem]) -> list[T]:
    """What can be read of `paths`; the mistakes of the rest go to `problems`."""
    made = []
    for path in paths:
        try:
            made.append(read_one(root, path))
        except SettingsError as error:
            problems += error.problems
    return made


def _workload(root: Path, folder: Path) -> Workload:
    problems = []
    file = str(folder.relative_to(root))
    if not re.match(names.LABEL_1123, folder.name):
        problems.append(Problem(file, "", f"the name {shown(folder.name)}", "lower-case letters, digits and hyphens"))
    files: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.name in NOT_MOUNTED or path.name == "__pycache__" or path.name.startswith("."):
            continue
        if path.is_dir():
            found = Problem(str(path.relative_to(root)), "", "a folder", "files only: a ConfigMap holds no folders")
            problems.append(found)
            continue
        try:
            files[path.name] = _text(root, path)
        except SettingsError as error:
            problems += error.problems
    try:
        document = _document(root, folder / "job.yaml")
        _check(_TrainJob, document, f"{file}/job.yaml")
    except SettingsError as error:
        raise SettingsError([*problems, *error.problems]) from None
    if problems:
        raise SettingsError(problems)
    return Workload(folder.name, f"{file}/job.yaml", document, files)


def completed(common: Any, own: Any) -> Any:
    """`own` with what it lacks of `common`: maps key by key, lists of named things name by name, the rest as it is."""
    if isinstance(common, Mapping) and isinstance(own, Mapping):
        both = {key: completed(common[key], own[key]) for key in common if key in own}
        return {**common, **own, **both}
    if _by_name(common) and _by_name(own):
        mine = {item["name"]: item for item in own}
        theirs = [completed(item, mine.pop(item["name"], {})) for item in common]
        return [*theirs, *mine.values()]
    return own


def _by_name(part: Any) -> bool:
    """Whether a list holds things that each have a name of their own."""
    if not isinstance(part, list) or not all(isinstance(item, Mapping) for item in part):
        return False
    found = [item.get("name") for item in part]
    return all(isinstance(name, str) for name in found) and len(set(found)) == len(found)


def _document(root: Path, path: Path) -> Document:
    file = str(path.relative_to(root))
    document = documents.load(_bytes(root, path), file)
    if not isinstance(document, dict):
        found = "an empty file" if document is None else shown(document)
        raise SettingsError([Problem(file, "", found, "a Kubernetes manifest")])
    return document


def _check(model: type[BaseModel], document: Document, file: str) -> None:
    try:
        model.model_validate(document)
    except ValidationError as error:
        raise SettingsError(mistakes.problems(error, model, document, file)) from None


def _text(root: Path, path: Path) -> str:
    try:
        return _bytes(root, path).decode("utf-8")
    except UnicodeDecodeError:
        file = str(path.relative_to(root))
        raise SettingsError([Problem(file, "", "bytes that are not UTF-8", "a text file")]) from None


def _bytes(root: Path, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror).lower()
        raise SettingsError([Problem(str(path.relative_to(root)), "", reason, "a file that can be read")]) from None
