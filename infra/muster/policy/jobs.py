"""Rules of TrainJobs with their runtimes and pools: gangs, and what a lost machine costs."""

from collections.abc import Iterator, Sequence

from muster.policy.machines import is_spot
from muster.policy.parts import Breach, Context, Resource, hidden, mapping, maps, number, of_kind, unclear
from muster.policy.pods import TRAINJOB, pods, walk

RUNTIMES = (
    "kubernetes:trainer.kubeflow.org/v1alpha1:ClusterTrainingRuntime",
    "kubernetes:trainer.kubeflow.org/v1alpha1:TrainingRuntime",
)
POOL = "muster.dev/pool"


def gangless(resources: Sequence[Resource], _: Context) -> Iterator[Breach]:
    """Jobs of several nodes on a runtime without a pod group."""
    for job in of_kind(resources, TRAINJOB):
        nodes, runtime = number(job.at("spec.trainer.numNodes")) or 1, _runtime(job, resources)
        if runtime is not None and nodes > 1 and not runtime.at("spec.podGroupPolicy"):
            yield job, f"{nodes:g} nodes on {runtime.name}, which has no pod group"


def spot_without_checkpoints(resources: Sequence[Resource], _: Context) -> Iterator[Breach]:
    """Jobs on spot machines that write to no storage that outlives them."""
    spot = {str(mapping(group.at("labels")).get(POOL)) for group in resources if is_spot(group)}
    for job in of_kind(resources, TRAINJOB):
        runtime = _runtime(job, resources)
        selectors = [mapping(pod.get("nodeSelector")) for pod in pods(runtime)] if runtime else []
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


def _keeps(job: Resource) -> bool:
    """Whether the pods of a job can write to a claim, or may be able to: what can't be seen counts for it."""
    for pod in pods(job):
        mounts = [one.get("volumeMounts") for one in maps(pod["containers"])]
        if any(map(unclear, (pod.get("volumes"), pod["containers"], *mounts))):
            return True
        claims = {str(one.get("name")) for one in maps(pod.get("volumes")) if one.get("persistentVolumeClaim")}
        written = [str(one.get("name")) for some in mounts for one in maps(some) if one.get("readOnly") is not True]
        if claims & {*written} or any(map(hidden, (*claims, *written))):
            return True
    return any(map(unclear, _around(job)))


def _around(job: Resource) -> Sequence[object]:
    """What stands around the pods of a job's patches."""
    patches = job.at("spec.runtimePatches")
    return (job.at("spec"), patches, *(value for patch in maps(patches) for _, value in walk(patch)))
