"""The comment and the page: short enough whatever is in them, no secret in them, no markup but their own."""

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from muster.policy.parts import Finding
from muster.report import markdown, page
from muster.report.change_report import ChangeReport

from tests.unit.report import previews
from tests.unit.report.previews import GROUP, RUNNING, RUNTIME, TRAINJOB, group, job, runtime, step

MARK = "m4rk3d-5d1c0b77f2a9"
CONFIG, SECRET = "kubernetes:core/v1:ConfigMap", "kubernetes:core/v1:Secret"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)
PATHS = st.lists(st.from_regex(r"[a-z]{1,8}(\.[a-z]{1,8}|\[[0-9]\]){0,4}", fullmatch=True), max_size=60)
VALUES = st.recursive(
    st.none() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
SIDES = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=3)
SECRETS = st.sampled_from(
    [
        {"data": {"value": MARK}},
        {"spec": {"hubToken": MARK}},
        {"spec": {"containers": [{"env": [{"name": "API_KEY", "value": MARK}]}]}},
        {"spec": {"args": ["--password", MARK]}},
        {"spec": {"args": [f"--hub-token={MARK}"]}},
        {"spec": {"text": f"password={MARK}"}},
        {"userData": MARK},
        {"kubeconfig": MARK},
    ]
)
SAID = st.sampled_from([f"login failed: token={MARK}", f'{{"password": "{MARK}"}}', f"run it with --api-key {MARK}"])


@st.composite
def steps(draw: st.DrawFn) -> list[dict[str, Any]]:
    made = []
    for index in range(draw(st.integers(0, 40))):
        op = draw(st.sampled_from(["create", "update", "replace", "delete"]))
        name = f"{index}-{draw(st.from_regex(r'[a-z|`<@_*]{0,30}', fullmatch=True))}"
        held = draw(SECRETS)
        kind = SECRET if "data" in held else CONFIG
        old = None if op == "create" else {**draw(SIDES), **held}
        new = None if op == "delete" else {**draw(SIDES), **json.loads(json.dumps(held).replace(MARK, f"{MARK}-2"))}
        fields = [*draw(PATHS), *"abcd", "spec", "data", "userData", "kubeconfig"]
        made.append(step(op, kind, name, old, new, fields=fields, replaces=fields if op == "replace" else ()))
    return made


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps(), st.lists(TEXT, max_size=20), SAID)
def test_it_is_short_enough_and_no_secret_is_in_it(made: list[dict[str, Any]], warnings: list[str], said: str) -> None:
    messages = [{"severity": "warning", "message": text} for text in warnings]
    messages.append({"severity": "error", "message": said})
    finding = Finding("no-secrets", "mandatory", "a", said, "take it out")
    found = previews.report(*made, diagnostics=messages, policies=[finding])
    texts = [markdown.render(found), page.render(found), str(found.document())]
    assert len(texts[0]) < markdown.LIMIT
    assert [MARK in text for text in texts] == [False, False, False]


def big(count: int) -> ChangeReport:
    """Many resources with many long fields."""
    old, new = ({f"field-{n}": f"{side}{'x' * 200}" for n in range(40)} for side in ("a", "b"))
    made = [step("update", CONFIG, f"thing-{n}", old, new, fields=list(old)) for n in range(count)]
    made += [step("replace", TRAINJOB, f"job-{n}", job(f"job-{n}"), job(f"job-{n}", lr="1")) for n in range(count)]
    return previews.report(
        *made, diagnostics=[{"severity": "warning", "message": f"{n} {'w' * 400}"} for n in range(count)]
    )


@pytest.mark.parametrize("count", [50, 500])
def test_what_is_cut_is_counted(count: int) -> None:
    said = markdown.render(big(count))
    assert len(said) < 60_000
    assert f"{count} replaced, {count} updated." in said
    assert f"<details><summary>Updated: {count}</summary>" in said
    assert f"- ConfigMap ({count})" in said
    assert re.search(r"^- and \d+ more$", said, re.MULTILINE) is not None
    assert said.count("<details>") == said.count("</details>") == 3


def test_nobody_is_called_and_no_markup_is_taken_from_others() -> None:
    message = "@team <img src=x onerror=y> [a](b) `c` | *d*"
    said = markdown.render(previews.report(diagnostics=[{"severity": "warning", "message": message}]))
    assert "- @\u200bteam &lt;img src=x onerror=y&gt; \\[a\\](b) \\`c\\` \\| \\*d\\*" in said
    assert "<img" not in page.render(previews.report(diagnostics=[{"severity": "warning", "message": message}]))


def test_a_comment_in_whole() -> None:
    found = previews.report(
        step("update", GROUP, "pool-gpu", group(), group(releaseVersion="1.35.5-20261120"), fields=["releaseVersion"]),
        step("update", RUNTIME, "runtime-ds", runtime(LEVEL="a"), runtime(LEVEL="b"), fields=["spec"]),
        occupancy=RUNNING,
        edits={"budget.maxHourlyUsd": 120},
    )
    held = "job training/train (running) runs on nodes that would go: the update is refused until it has ended"
    kept = "runtime ds is updated: jobs that start later get it; those that run go on from their snapshot"
    line = "2 nodes are replaced one after another, 8 of 16 GPUs away at a time, up to 50 min in all"
    env = "spec.template.spec.replicatedJobs[0].template.containers[0].env[0].value"
    assert markdown.render(found).splitlines() == [
        "<!-- muster report test -->",
        f"## test: needs care: pool gpu: {line} (and 2 more reasons)",
        "",
        "2 updated.",
        "",
        f"- **needs care**: pool gpu: {line}",
        f"- **needs care**: {held}",
        f"- **needs care**: {kept}",
        "",
        "### Pools",
        "| pool | what happens | nodes | GPUs | because of |",
        "|---|---|---|---|---|",
        f"| `gpu` | {line} | 2 x p5.48xlarge | 16 | releaseVersion |",
        "",
        "### Jobs",
        "- `training/train` (running, pool gpu): holds the update up",
        "",
        "### What jobs stand on",
        "- runtime: `ds` updated",
        "",
        "### Cost",
        "$111.06/h, as before, at on-demand prices of 2026-07-20.",
        "The ceiling is $120.00/h; $8.94/h of it are left.",
        "",
        "### Capacity",
        "- pool `gpu`: p5.48xlarge from reservation cr-0a1b2c3d4e5f60718, which never overflows",
        "",
        "<details><summary>Warnings: 1</summary>",
        "",
        "- FILE: pools.system: no price of m7i.xlarge in us-west-2: that of us-east-1",
        "",
        "</details>",
        "",
        "<details><summary>Updated: 2</summary>",
        "",
        "- ClusterTrainingRuntime (1)",
        "  - `runtime-ds`",
        f"    - `{env}`: `a` → `b`",
        "- NodeGroup (1)",
        "  - `pool-gpu`",
        "    - `releaseVersion`: `1.35.4-20261023` → `1.35.5-20261120`",
        "",
        "</details>",
    ]


def test_the_page_needs_nothing_else() -> None:
    grown = step("update", GROUP, "pool-gpu", group(), group(3), fields=["scalingConfig"])
    said = page.render(previews.report(grown, edits={"pools.gpu.nodes": 3}))
    assert said.startswith("<!doctype html>")
    assert re.search(r"<(script|link|img|iframe)|https?://|@import|url\(", said) is None
    assert "<table>" in said
    assert said.count("<details>") == said.count("</details>") == 2
