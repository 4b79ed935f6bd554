"""One environment in rehearsal: engine, double and embedded cluster put together, and what can be done with them."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muster import stack as stacks
from muster.kube import Kube
from muster.plan import Plan
from muster.plan.aws.parts import RESOURCE_TAG, STACK_TAG
from muster.report.reader import items

from local import charts, cluster, images, orphans, packages, recovery, toolchain
from local.engine import Engine, environment
from local.places import ROOT, state_dir
from local.problem import Problem
from rehearsal import ground, project
from rehearsal.double.faults import Faults
from rehearsal.double.provider import FOLDER, VERSION
from rehearsal.double.world import World

PLUGIN = f"resource-aws-v{VERSION}"
TAIL = 25
QUIET = ("same", "read", "refresh", "discard", "read-replacement", "discard-replaced")
"""Operations that change nothing that is there."""
KINDS = (
    "/api/v1/nodes",
    "/api/v1/namespaces",
    "/api/v1/persistentvolumes",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/apis/storage.k8s.io/v1/storageclasses",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
)
"""Kubernetes objects that a stack could leave behind."""
BUILT_IN = "system:"


@dataclass(frozen=True)
class Place:
    """A rehearsal's folder with everything in it."""

    stack: str
    folder: Path
    engine: Engine
    kube: Kube
    before: frozenset[str]

    @property
    def root(self) -> Path:
        """The copy of the project."""
        return self.engine.root

    @property
    def faults(self) -> Faults:
        """Failures to come."""
        return Faults(self.folder)

    def world(self) -> World:
        """What exists in the double's AWS now."""
        return World(self.folder)

    def plan(self) -> Plan:
        """What the stack file means now. Raises muster.problems.SettingsError."""
        return stacks.from_file(self.stack, self.root, self.engine.environment)

    def edit(self, path: str, value: Any) -> None:
        """Set a key of the stack file."""
        project.edit(self.root, self.stack, path, value)

    def become(self, tree: Path = ROOT) -> None:
        """Make the copy of the project that of another checkout; what is up stays as it is."""
        project.copy(self.root, tree)

    def restore(self) -> None:
        """Put the stack file back as it is in the checkout."""
        file = stacks.file_of(self.stack)
        shutil.copy2(ROOT / file, self.root / file)

    def up(self) -> dict[str, int]:
        """Run `pulumi up`; how many resources it created, updated, replaced and deleted. Raises Problem."""
        self.run("up", "--yes", "--skip-preview")
        return self._last_changes()

    def refresh(self) -> int:
        """Run `pulumi refresh` and count what is not as the state says. Raises Problem."""
        self.run("refresh", "--yes", "--skip-preview")
        return sum(self._last_changes().values())

    def destroy(self) -> None:
        """Destroy the stack; protection is taken off first, as in production by an edit. Raises Problem."""
        aws = self.plan().aws
        if aws is not None and aws.eks.protect:
            self.edit("cluster.protect", False)
            self.up()
        self.run("destroy", "--yes", "--skip-preview")

    def recover(self) -> list[str]:
        """Do what `make up` does after a run that was killed; the resources taken into the state. Raises Problem."""
        self.engine.take_over()
        self.engine.settle_deletions()

        def find(stack: str, name: str) -> list[str]:
            wanted = {STACK_TAG: stack, RESOURCE_TAG: name}
            tagged = (
                (thing.outputs.get("arn", ""), thing.outputs.get("tagsAll") or {}) for thing in self.world().own()
            )
            return [arn for arn, tags in tagged if wanted.items() <= tags.items()]

        return recovery.adopt(self.engine, self.world().ground.account, find)

    def preview(self) -> dict[str, str]:
        """What an `up` would do: operation by `kind name`, resources that stay left out. Raises Problem."""
        steps = json.loads(self.run("preview", "--json"))["steps"]
        return {short(step["urn"]): step["op"] for step in steps if step["op"] not in QUIET}

    def leftovers(self) -> list[str]:
        """What is still there of the stack: in the double's AWS and in the cluster."""
        cloud = [f"{thing.kind} {thing.id}" for thing in self.world().own()]
        return cloud + sorted(set(objects(self.kube)) - self.before)

    def run(self, *words: str) -> str:
        """Run the engine; its stdout. Its whole output is kept in the folder. Raises Problem with its last lines."""
        done = self.engine.run(*words)
        with (self.folder / "engine.log").open("a") as log:
            log.write(f"$ pulumi {' '.join(words)}\n{done.stdout}\n{done.stderr}\n")
        if done.returncode != 0:
            raise Problem(f"pulumi {words[0]} of {self.stack} failed:\n{diagnostics(done.stdout + done.stderr)}")
        return done.stdout

    def _last_changes(self) -> dict[str, int]:
        (last, *_) = json.loads(self.run("stack", "history", "--json", "--stack", self.stack, "--page-size", "1"))
        changes: Counter[str] = Counter(last.get("resourceChanges") or {})
        return {kind: count for kind, count in changes.items() if kind not in ("same", "read")}


def diagnostics(output: str) -> str:
    """What the engine says of failures, without what it says of all the rest."""
    lines = [line for line in output.splitlines() if line.strip()]
    if "Diagnostics:" in lines:
        lines = lines[lines.index("Diagnostics:") + 1 :]
        ends = [number for number, line in enumerate(lines) if line in ("Outputs:", "Resources:")]
        lines = lines[: ends[0]] if ends else lines
    return "\n".join(lines[-TAIL:])


def short(urn: str) -> str:
    """A URN in two words: kind and name."""
    *_, kind, name = urn.split("::")
    return f"{kind.rpartition(':')[2]} {name}"


def objects(kube: Kube) -> Iterator[str]:
    """Names of the cluster's objects that outlive nothing of their own accord."""
    for path in KINDS:
        for item in items(kube.get(path)):
            meta = item["metadata"]
            if not meta["name"].startswith(BUILT_IN):
                yield f"{path.rpartition('/')[2]} {meta.get('namespace', '')} {meta['name']}".replace("  ", " ")


def prepare(stack: str, base: Path = ROOT) -> Place:
    """Everything that a rehearsal needs, from nothing. Raises Problem or muster.problems.SettingsError.

    It begins with the checkout in `base`, and may go on to the working tree's.
    """
    if cluster.running() is not None and (state_dir() / "pulumi").exists():
        raise Problem("a stack is up on the embedded cluster, which a rehearsal wants for itself; make down removes it")
    found = toolchain.ensure(toolchain.ENGINE + toolchain.CLUSTER)
    charts.materialise()
    packages.ensure()
    # One that was cut off has left nodes and objects; a new cluster is there in seconds.
    cluster.down()
    running = cluster.up({name: found[name].path for name in toolchain.CLUSTER})
    images.ensure(running)
    return begin(stack, running.kubeconfig, {name: found[name] for name in toolchain.ENGINE}, base)


def begin(stack: str, kubeconfig: Path, tools: Mapping[str, toolchain.Tool], base: Path = ROOT) -> Place:
    """A new rehearsal on a running cluster; one of the same stack that was cut off before is forgotten."""
    orphans.end()
    folder = state_dir() / "rehearsal" / stack
    shutil.rmtree(folder, ignore_errors=True)
    root = project.copy(folder / "project", base)
    backend = folder / "pulumi"
    env = environment(tools, kubeconfig, backend)
    # A kubeconfig of the machine would hide a program that does not use its own cluster's.
    env["KUBECONFIG"] = str(folder / "none")
    env[FOLDER] = str(folder)
    env["PATH"] = os.pathsep.join([str(Path(__file__).parent / "bin"), env["PATH"]])
    _install_double(backend / "home")
    engine = Engine(stack, env, root)
    plans = [stacks.from_file(stack, tree, env).aws for tree in dict.fromkeys((base, ROOT))]
    environments = [plan for plan in plans if plan is not None]
    if not environments:
        raise Problem(f"stack {stack} is not on AWS: there is nothing to rehearse, make up STACK={stack} runs it")
    ground.lay(environments, kubeconfig, folder)
    engine.select()
    kube = Kube.from_file(kubeconfig)
    return Place(stack, folder, engine, kube, frozenset(objects(kube)))


def _install_double(home: Path) -> None:
    """Put the double where the engine looks for the AWS provider."""
    folder = home / "plugins" / PLUGIN
    folder.mkdir(parents=True, exist_ok=True)
    launcher = folder / "pulumi-resource-aws"
    python = ROOT / ".venv" / "bin" / "python"
    launcher.write_text(f'#!/bin/sh\nexec env PYTHONPATH="{ROOT}" "{python}" -m rehearsal.double\n')
    launcher.chmod(0o755)
