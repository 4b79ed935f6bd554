"""`muster check`: whether a stack keeps the policies."""

import dataclasses
import json

import typer

from muster import policy
from muster.cli.context import AsJson, PreviewFile, Stack, err, out, planned, previewed


def show(
    stack: Stack = "local",
    preview: PreviewFile = None,
    as_json: AsJson = False,
) -> None:
    """Judge the stack by the policies, as it would be after an update; without --preview the engine is asked now.

    Exit code 0: nothing, or advice and exemptions alone. 1: a mandatory rule is broken, or not all could be judged.
    """
    made, seen = planned(stack), previewed(stack, preview)
    findings, unjudged = policy.of_preview(seen, made), [f"the preview failed: {error}" for error in seen.errors]
    if seen.left_out:
        unjudged.append(f"the preview leaves out {seen.left_out} resources that stay; make it with --show-sames")
    if as_json:
        rows = [{**dataclasses.asdict(one), "exempted_until": _day(one)} for one in findings]
        typer.echo(json.dumps({"stack": stack, "findings": rows, "unjudged": unjudged}))
    else:
        from muster.policy import screen  # noqa: PLC0415 - only here

        out.print(screen.draw(findings))
        for why in unjudged:
            err.print(f"not everything was judged: {why}", markup=False, soft_wrap=True)
    raise typer.Exit(1 if unjudged or any(one.blocks for one in findings) else 0)


def _day(finding: policy.Finding) -> str | None:
    return finding.exempted_until.isoformat() if finding.exempted_until else None
