"""The policy pack, served as the engine starts it and asked as the engine asks it.

The engine hands a pack to the language host, which runs `python -u -m pulumi.policy ENGINE PACK` and reads the port:
https://github.com/pulumi/pulumi/blob/v3.259.0/sdk/go/common/resource/plugin/analyzer_plugin.go
"""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format, struct_pb2
from muster.policy import RULES, Resource
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from tests.program.recorder import ENVIRON, ROOT
from tests.program.test_policies import edited, registered

PACK = ROOT / "policies"
PYTHON = PACK / ".venv" / "bin" / "python"
NO_ENGINE = "127.0.0.1:1"
"""The address of an engine: a pack is asked, and asks nothing itself."""
CHECKOUT = ("infra", "runtimes", "workloads")


@pytest.fixture(scope="session")
def python() -> Path:
    """The pack's own interpreter, set up by `make policy-pack`, by one worker at a time."""
    with (PACK / "requirements.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(["make", "policy-pack"], cwd=ROOT, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"the pack's environment can't be set up here: {made.stderr.strip().splitlines()[-1]}")
    return PYTHON


@contextmanager
def served(python: Path, stack: str | None, pack: Path = PACK) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """A pack for a stack, as the engine has it."""
    environ = {**os.environ, **ENVIRON, "PULUMI_CONFIG": "{}"}
    if stack is not None:
        environ |= {"PULUMI_PROJECT": "muster", "PULUMI_STACK": stack, "PULUMI_DRY_RUN": "true"}
    command = [python, "-u", "-m", "pulumi.policy", NO_ENGINE, pack]
    with subprocess.Popen(command, cwd=pack, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            port = process.stdout.readline().strip().decode()
            assert port.isdecimal(), process.stderr.read().decode()
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def prod(python: Path) -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    with served(python, "prod") as pack:
        yield pack


def words(resource: Resource) -> dict[str, Any]:
    """A resource in the engine's terms."""
    return {
        "type": resource.kind,
        "urn": resource.urn,
        "name": resource.name,
        "properties": json_format.ParseDict(dict(resource.props), struct_pb2.Struct()),
        "options": analyzer_pb2.AnalyzerResourceOptions(protect=resource.protected),
    }


def asked(pack: analyzer_pb2_grpc.AnalyzerStub, resources: Sequence[Resource]) -> list[Any]:
    """What the pack says of every resource, and then of the stack."""
    said = [pack.Analyze(analyzer_pb2.AnalyzeRequest(**words(one))).diagnostics for one in resources]
    whole = [analyzer_pb2.AnalyzerResource(**words(one)) for one in resources]
    said.append(pack.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=whole)).diagnostics)
    return [diagnostic for diagnostics in said for diagnostic in diagnostics]


def with_edit(noun: str, name: str, path: str, value: object) -> list[Resource]:
    """The stack prod with one input changed."""
    resources = registered("prod")[1]
    assert any((one.noun, one.name) == (noun, name) for one in resources)
    return [edited(one, path, value) if (one.noun, one.name) == (noun, name) else one for one in resources]


def test_it_has_every_rule(prod: analyzer_pb2_grpc.AnalyzerStub) -> None:
    info = prod.GetAnalyzerInfo(empty_pb2.Empty())
    assert info.name == "muster"
    assert [policy.name for policy in info.policies] == list(RULES)
    for policy in info.policies:
        rule = RULES[policy.name]
        level = analyzer_pb2.MANDATORY if rule.severity == "mandatory" else analyzer_pb2.ADVISORY
        kind = analyzer_pb2.POLICY_TYPE_STACK if rule.each is None else analyzer_pb2.POLICY_TYPE_RESOURCE
        assert (policy.enforcementLevel, policy.policy_type) == (level, kind), policy.name
        assert (policy.remediation_steps, policy.url) == (rule.remedy, rule.source)


def test_a_stack_that_keeps_them_gets_advice_alone(prod: analyzer_pb2_grpc.AnalyzerStub) -> None:
    said = asked(prod, registered("prod")[1])
    assert [(one.policyName, one.enforcementLevel) for one in said] == [("secrets-customer-key", analyzer_pb2.ADVISORY)]


def test_a_resource_that_breaks_one_is_named(prod: analyzer_pb2_grpc.AnalyzerStub) -> None:
    said = asked(prod, with_edit("LaunchTemplate", "pool-p5", "metadataOptions.httpTokens", "optional"))
    (found,) = [one for one in said if one.enforcementLevel == analyzer_pb2.MANDATORY]
    assert found.policyName == "imdsv2"
    rule = RULES["imdsv2"]
    assert found.message == (
        f"{rule.reason}. Remedy: {rule.remedy}\nLaunchTemplate pool-p5: instance metadata answers without a token"
    )


def test_a_stack_that_breaks_one_gets_the_resource(prod: analyzer_pb2_grpc.AnalyzerStub) -> None:
    resources = with_edit("NodeGroup", "pool-p5", "subnetIds", ["subnet-1", "subnet-2"])
    (found,) = [one for one in asked(prod, resources) if one.enforcementLevel == analyzer_pb2.MANDATORY]
    assert (found.policyName, found.urn) == (
        "efa-single-zone",
        next(one.urn for one in resources if (one.noun, one.name) == ("NodeGroup", "pool-p5")),
    )


def test_it_knows_from_the_stack_file_that_the_stack_is_protected(prod: analyzer_pb2_grpc.AnalyzerStub) -> None:
    bare = [Resource(one.urn, one.kind, one.name, one.props, protected=False) for one in registered("prod")[1]]
    broken = {one.policyName for one in asked(prod, bare) if one.enforcementLevel == analyzer_pb2.MANDATORY}
    assert broken == {"protect-in-production"}


def test_an_exemption_of_the_stack_file_holds(python: Path, tmp_path: Path) -> None:
    for name in CHECKOUT:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    shutil.copytree(PACK, tmp_path / "policies", ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    file = tmp_path / "stacks" / "Pulumi.prod.yaml"
    told = {"rule": "imdsv2", "resource": "pool-p5", "reason": "an old agent", "until": "2026-12-31"}
    file.write_text(f"{file.read_text()}  muster:policies: {json.dumps({'exemptions': {'agent': told}})}\n")
    resources = with_edit("LaunchTemplate", "pool-p5", "metadataOptions.httpTokens", "optional")
    with served(python, "prod", tmp_path / "policies") as pack:
        assert [one.policyName for one in asked(pack, resources)] == ["secrets-customer-key"]


def test_mistakes_in_the_stack_file_are_said_and_no_traceback(python: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "PULUMI_STACK": "nowhere"}
    command = [python, "-u", "-m", "pulumi.policy", NO_ENGINE, PACK]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("stacks/Pulumi.nowhere.yaml: found no such file; expected one of")
    assert "Traceback" not in done.stderr


def test_without_a_stack_it_still_says_what_it_has(python: Path) -> None:
    with served(python, None) as pack:
        assert len(pack.GetAnalyzerInfo(empty_pb2.Empty()).policies) == len(RULES)
