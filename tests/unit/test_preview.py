"""Reading what the engine says it would change."""

import json

import pytest
from muster import preview
from muster.problems import SettingsError


def step(op: str, name: str, kind: str = "aws:eks/nodeGroup:NodeGroup", **more: object) -> dict[str, object]:
    return {"op": op, "urn": f"urn:pulumi:dev::muster::{kind}::{name}", **more}


def test_the_steps_of_a_replacement_are_one_change() -> None:
    old = {"inputs": {"instanceTypes": ["p5.48xlarge"]}, "outputs": {"arn": "a"}, "protect": True}
    new = {"inputs": {"instanceTypes": ["p5en.48xlarge"]}}
    found = preview.parse(
        {
            "steps": [
                step("delete-replaced", "pool-p5", oldState=old),
                step("replace", "pool-p5", oldState=old, newState=new, replaceReasons=["instanceTypes"]),
                step(
                    "create-replacement", "pool-p5", oldState=old, newState=new, detailedDiff={"instanceTypes[0]": {}}
                ),
            ]
        }
    )
    (change,) = found.changes
    assert (change.operation, change.noun, change.name) == ("replace", "NodeGroup", "pool-p5")
    assert (change.old["instanceTypes"], change.new["instanceTypes"]) == (["p5.48xlarge"], ["p5en.48xlarge"])
    assert change.replaces == ("instanceTypes",)
    assert change.fields == ("instanceTypes[0]",)
    assert change.protected


def test_the_stack_itself_gives_the_outputs_before() -> None:
    found = preview.parse(
        {
            "steps": [
                step("same", "muster-dev", "pulumi:pulumi:Stack", oldState={"outputs": {"hourlyUsd": 7.5}}),
                step("discard", "gone"),
                step("same", "pool-a", oldState={"inputs": {"a": 1}}, newState={"inputs": {"a": 1}}),
                step("create", "parent", "x:y:Z$aws:ec2/vpc:Vpc"),
            ],
            "diagnostics": [
                {"severity": "warning", "message": "<{%fg 3%}>warning: <{%reset%}>a doubt<{%reset%}>\n"},
                {"severity": "info", "message": "a line"},
            ],
        }
    )
    assert found.before == {"hourlyUsd": 7.5}
    assert found.warnings == ("a doubt",)
    assert [(change.name, change.operation) for change in found.changes] == [("pool-a", "same"), ("parent", "create")]
    assert [change.kind for change in found.changed()] == ["aws:ec2/vpc:Vpc"]


@pytest.mark.parametrize(("same", "left_out"), [(3, 2), (1, 0)])
def test_what_is_left_out_is_counted(same: int, left_out: int) -> None:
    steps = [step("same", "pool-a"), step("update", "pool-b")]
    assert preview.parse({"steps": steps, "changeSummary": {"same": same, "update": 1}}).left_out == left_out


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"steps": [{"op": "same"}]}), '{"steps": 3}'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="found no preview; expected the output of: pulumi preview --json"):
        preview.load(text, "preview.json")
