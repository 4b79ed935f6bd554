"""Rules of TrainJobs with their runtimes and pools: gangs, and what a lost machine costs."""

from collections.abc import Iterator, Mapping, Sequence

from muster.policy.machines import is_spot
from muster.policy.parts import UNKNOWN, Breach, Context, Resource, of_kind
from muster.policy.pods import TRAINJOB, pods

RUNTIMES = (
    "kubernetes:trainer.kubeflow.org/v1alpha1:ClusterTrainingRuntime",
    "kubernetes:trainer.kubeflow.org/v1alpha1:TrainingRuntime",
)
POOL = "muster.dev/pool"


def gangless(resources: Sequence[Resource], _: Context) -> Iterator[Breach]:
    """Jobs of several nodes on a runtime without a pod group."""
    for job in of_kind(resources, TRAINJOB):
        nodes, runtime = job.at("spec.trainer.numNodes"), _runtime(job, resources)
        if runtime is None or nodes in (None, UNKNOWN) or nodes <= 1:
            continue
        if not runtime.at("spec.podGroupPolicy"):
            yield job, f"{nodes:g} nodes on {runtime.name}, which has no pod group"


def spot_without_checkpoints(resources: Sequence[Resource], _: Context) -> Iterator[Breach]:
    """Jobs on spot machines that write to no storage that outlives them."""
    spot = {_labels(group)[POOL] for group in resources if is_spot(group) and POOL in _labels(group)}
    for job in of_kind(resources, TRAINJOB):
        runtime = _runtime(job, resources)
        selectors = [pod.get("nodeSelector") or {} for pod in pods(runtime)] if runtime else []
        taken = sorted({str(selector[POOL]) for selector in selectors if POOL in selector} & spot)
        if taken and not _keeps(job):
            yield job, f"it runs on spot machines (pool {', '.join(taken)}) and writes to no storage"


def _runtime(job: Resource, resources: Sequence[Resource]) -> Resource | None:
    """The runtime that a job names, where it is of this stack; one of a namespace serves that namespace alone."""
    kind, name = job.at("spec.runtimeRef.kind"), job.at("spec.runtimeRef.name")
    for runtime in of_kind(resources, *RUNTIMES):
        here = runtime.at("metadata.namespace") in (None, job.at("metadata.namespace"))
        if here and (runtime.noun, runtime.at("metadata.name")) == (kind, name):
            return runtime
    return None


def _labels(group: Resource) -> Mapping[str, str]:
    found = group.at("labels")
    return found if isinstance(found, Mapping) else {}


def _keeps(job: Resource) -> bool:
    """Whether the pods of a job can write to a claim."""
    for pod in pods(job):
        claims = {one.get("name") for one in pod.get("volumes") or () if one.get("persistentVolumeClaim")}
        mounts = [mount for one in pod["containers"] for mount in one.get("volumeMounts") or ()]
        if any(mount.get("name") in claims and not mount.get("readOnly") for mount in mounts):
            return True
    return False
