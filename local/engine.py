"""One stack under Pulumi's engine: environment, state backend, and recovery from runs that were killed."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

from muster.preview import kind_of

from local import orphans
from local.backend import FileBackend
from local.orphans import HOST, PROVIDER
from local.places import ROOT, cache_dir, state_dir
from local.problem import Problem
from local.progress import console, step
from local.toolchain import Tool

PROJECT = "muster"
WAIT = "MUSTER_WAIT"
"""Set to `no`, the program waits for no job."""


@dataclass(frozen=True)
class Engine:
    """The engine on one stack of the project in `root`.

    `environment` is complete: nothing else of the caller's environment is used.
    """

    stack: str
    environment: Mapping[str, str]
    root: Path = ROOT

    def select(self) -> None:
        """Make the stack in its backend if it is new there. Raises Problem."""
        self._quiet("stack", "select", "--create", self.stack)

    def up(self, *, refresh: bool = False) -> int:
        """Run `pulumi up` with its output passed through; its exit code. `refresh`: it first reads what is there."""
        code = self._loud("up", "--yes", "--skip-preview", *(("--refresh",) if refresh else ()))
        if code == 0:
            self._forget_settled_operations()
        return code

    def preview(self) -> int:
        """Run `pulumi preview` with its output passed through; its exit code."""
        return self._loud("preview")

    def destroy(self) -> int:
        """Delete every resource of the stack, also Kubernetes objects that a killed run made and could not record.

        These are made again first, which takes over what is there. On AWS that would make a second one.
        """
        if begun := [urn for urn in self.pending_creates() if kind_of(urn).startswith("kubernetes:")]:
            targets = [word for urn in begun for word in ("--target", urn)]
            try:
                with step(f"taking back {len(begun)} resources that an interrupted run left unrecorded"):
                    self._quiet("up", "--yes", "--skip-preview", *targets, extra={WAIT: "no"})
            except Problem as problem:
                # Most of the stack can go all the same, and what could not be taken back is named.
                said = f"left for you to delete: {', '.join(begun)}\n{problem}"
                console.print(said, style="yellow", markup=False)
        return self._loud("destroy", "--yes", "--skip-preview")

    def remove(self) -> None:
        """Forget the empty stack. Raises Problem."""
        self._quiet("stack", "rm", "--yes", "--preserve-config", self.stack)

    def exists(self) -> bool:
        """Whether the backend knows the stack."""
        listed = json.loads(self._quiet("stack", "ls", "--json") or "[]")
        return any(entry["name"].split("/")[-1] == self.stack for entry in listed)

    def state(self) -> Mapping[str, Any]:
        """The stack's deployment as Pulumi records it."""
        return cast(Mapping[str, Any], json.loads(self._quiet("stack", "export"))["deployment"])

    def pending_creates(self) -> dict[str, Mapping[str, Any]]:
        """Resources whose creation a killed run had begun and no later run has recorded: inputs by URN."""
        known, begun = self._pending("creating")
        return {urn: resource.get("inputs") or {} for urn, resource in begun.items() if urn not in known}

    def _pending(self, kind: str) -> tuple[set[str], dict[str, Mapping[str, Any]]]:
        """URNs of the recorded resources, and those by URN with which a killed run had begun that kind of operation."""
        state = self.state()
        begun = [op["resource"] for op in state.get("pending_operations") or () if op.get("type") == kind]
        return {resource["urn"] for resource in state.get("resources") or ()}, {one["urn"]: one for one in begun}

    def adopt(self, found: Mapping[str, str]) -> None:
        """Record resources that may be there, ids by URN; their provider then fills in what they are, or drops them.

        Empty outputs make the provider read them as an import does. Pulumi's own --import-pending-creates forgets them.
        https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/cmd/pulumi/operations/refresh.go
        Raises Problem.
        """
        exported = json.loads(self._quiet("stack", "export"))
        exported["deployment"] = recorded(exported["deployment"], found)
        self._import(exported)
        targets = [word for urn in found for word in ("--target", urn)]
        self._quiet("refresh", "--yes", "--skip-preview", *targets)

    def _import(self, exported: Mapping[str, Any]) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(exported, file)
            file.flush()
            self._quiet("stack", "import", "--file", file.name)

    def _forget_settled_operations(self) -> None:
        """Drop what a killed run left pending: a whole `up` has recorded or removed it, but Pulumi keeps warning of it.

        https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/resource/deploy/snapshot.go
        """
        exported = json.loads(self._quiet("stack", "export"))
        if exported["deployment"].pop("pending_operations", None):
            self._import(exported)

    def take_over(self) -> None:
        """Clear away what killed runs left on this machine: processes, locks, files that were being written."""
        orphans.end()
        url = urlparse(self.environment.get("PULUMI_BACKEND_URL", ""))
        if url.scheme == "file":
            FileBackend(Path(url.path), PROJECT, self.stack).take_over()

    def settle_deletions(self) -> None:
        """Forget resources that a killed run had deleted and could not record: a second deletion may fail.

        Raises Problem.
        """
        known, begun = self._pending("deleting")
        if unsure := [urn for urn in begun if urn in known]:
            targets = [word for urn in unsure for word in ("--target", urn)]
            with step(f"looking for {len(unsure)} resources that an interrupted run was deleting"):
                self._quiet("refresh", "--yes", "--skip-preview", *targets)

    def command(self, *words: str) -> list[str]:
        """The engine's command line; commands about stacks name theirs themselves, the others get this one's."""
        stack = () if words[0] == "stack" else ("--stack", self.stack)
        return ["pulumi", "--cwd", str(self.root), *words, *stack]

    def run(self, *words: str, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the engine without a terminal; how it ended and what it said."""
        command = self.command(*words, "--non-interactive")
        env = {**self.environment, **(extra or {})}
        return subprocess.run(command, env=env, check=False, capture_output=True, text=True)

    def _loud(self, *words: str) -> int:
        """Run with output passed through: live on a terminal, plain lines elsewhere."""
        plain = () if sys.stdout.isatty() else ("--non-interactive", "--suppress-progress")
        return subprocess.run(self.command(*words, *plain), env=dict(self.environment), check=False).returncode

    def _quiet(self, *words: str, extra: Mapping[str, str] | None = None) -> str:
        done = self.run(*words, extra=extra)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise Problem(f"pulumi {' '.join(words[:2])} failed: {said}")
        return done.stdout


def recorded(deployment: Mapping[str, Any], found: Mapping[str, str]) -> dict[str, Any]:
    """A deployment with pending creations recorded as resources that have no outputs yet: `found` has ids by URN."""
    pending = [(operation["resource"], operation) for operation in deployment.get("pending_operations") or ()]
    # A creation that a second run began again, and did not end either, is pending twice.
    begun = {resource["urn"]: resource for resource, _ in pending if resource["urn"] in found}
    return {
        **deployment,
        "resources": [
            *deployment["resources"],
            *({**resource, "id": found[urn], "outputs": {}} for urn, resource in begun.items()),
        ],
        "pending_operations": [operation for resource, operation in pending if resource["urn"] not in found],
    }


def environment(tools: Mapping[str, Tool], kubeconfig: Path | None, backend: Path | None = None) -> dict[str, str]:
    """Environment for the engine: its tools first on PATH, the project's Python, and the stack's backend.

    `backend` is the folder of a local backend, without it the one beside the embedded cluster.

    An embedded stack keeps its state beside its cluster, whatever the user is logged in to, so that both end together.
    Other stacks (`kubeconfig` None: the user's own) use the user's backend, and that same folder only where no backend
    was ever chosen.
    """
    env = dict(os.environ)
    env["PULUMI_SKIP_UPDATE_CHECK"] = "true"
    if kubeconfig is not None:
        env["KUBECONFIG"] = str(kubeconfig)
    folders = [_side_by_side(tools), *(tool.path.parent for tool in tools.values())]
    chosen = "PULUMI_BACKEND_URL" in env or (Path.home() / ".pulumi" / "credentials.json").exists()
    if kubeconfig is not None or not chosen:
        backend = backend or state_dir() / "pulumi"
        _install_plugin(backend / "home", tools[PROVIDER])
        folders.remove(tools[PROVIDER].path.parent)
        env["PULUMI_BACKEND_URL"] = f"file://{backend}"
        env["PULUMI_HOME"] = str(backend / "home")
        env["PULUMI_CONFIG_PASSPHRASE"] = ""
        # A cluster of the user's own may be on AWS, whose provider only Pulumi has.
        env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true" if kubeconfig is not None else "false"
    path = dict.fromkeys([str(ROOT / ".venv" / "bin"), *map(str, folders)])
    env["PATH"] = os.pathsep.join([*path, env.get("PATH", "")])
    return env


def _side_by_side(tools: Mapping[str, Tool]) -> Path:
    """Folder with engine and language host together: the engine warns of a language host from elsewhere on PATH."""
    engine, host = tools["pulumi"].path, tools[HOST].path
    if engine.parent == host.parent or not engine.is_relative_to(cache_dir()):
        return engine.parent
    folder = engine.parent.with_name(f"{engine.parent.name}-with-{host.parent.name}")
    if not folder.exists():
        scratch = folder.with_suffix(f".{os.getpid()}")
        scratch.mkdir()
        for file in (engine, *host.parent.iterdir()):
            os.link(file, scratch / file.name)
        with contextlib.suppress(OSError):
            scratch.rename(folder)
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _install_plugin(home: Path, provider: Tool) -> None:
    """Put the provider where the engine looks for plugins, in an engine home of our own."""
    folder = home / "plugins" / f"resource-kubernetes-v{provider.version}"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / PROVIDER
    if not link.exists() or link.resolve() != provider.path.resolve():
        link.unlink(missing_ok=True)
        link.symlink_to(provider.path)
