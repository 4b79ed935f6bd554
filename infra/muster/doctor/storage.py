"""Claims and volumes that can't be used."""

from muster.doctor.evidence import Document, Evidence
from muster.doctor.finding import Finding, up
from muster.plan import Plan

LATE = "WaitForFirstConsumer"


def findings(evidence: Evidence, plan: Plan) -> list[Finding]:
    """Claims of the stack that wait for a volume, volumes whose claim is gone."""
    spaces = {claim.namespace for claim in plan.claims} | {job.namespace for job in plan.jobs}
    late = {one["metadata"]["name"] for one in evidence.classes if one.get("volumeBindingMode") == LATE}
    return [
        *(
            _claim(one, evidence, plan)
            for one in evidence.claims
            if one["metadata"]["namespace"] in spaces
            and one.get("status", {}).get("phase") == "Pending"
            and one.get("spec", {}).get("storageClassName") not in late
        ),
        *(
            _volume(one)
            for one in evidence.volumes
            if one.get("status", {}).get("phase") in ("Released", "Failed")
            and (one.get("spec", {}).get("claimRef") or {}).get("namespace") in spaces
        ),
    ]


def _claim(claim: Document, evidence: Evidence, plan: Plan) -> Finding:
    meta, spec = claim["metadata"], claim.get("spec", {})
    what, volume = f"pvc {meta['namespace']}/{meta['name']}", spec.get("volumeName")
    if not volume:
        said = f"pending: storage class {spec.get('storageClassName') or 'none'} has made no volume"
        return Finding("claim-pending", what, said, f"kubectl -n {meta['namespace']} describe pvc {meta['name']}")
    there = any(one["metadata"]["name"] == volume for one in evidence.volumes)
    said = f"pending: its volume {volume} is {'bound to another claim' if there else 'not there'}"
    return Finding("claim-pending", what, said, free(volume) if there else up(plan.stack))


def _volume(volume: Document) -> Finding:
    name, phase = volume["metadata"]["name"], volume["status"]["phase"]
    claim = volume["spec"]["claimRef"]
    said = f"{phase.lower()}: it is kept for claim {claim['namespace']}/{claim['name']}, which is gone"
    return Finding("volume-released", f"pv {name}", said, free(name))


def free(volume: str) -> str:
    """The command that lets a volume be bound again; its data stays.

    https://kubernetes.io/docs/concepts/storage/persistent-volumes/#retain
    """
    return f'kubectl patch pv {volume} --type=json -p \'[{{"op":"remove","path":"/spec/claimRef"}}]\''
