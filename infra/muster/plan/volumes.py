"""Shared volumes: the claims that jobs mount, one for each namespace that uses a storage."""

from collections.abc import Mapping

from muster.plan.notes import Notes
from muster.plan.parts import ClaimPlan, Document, MountPlan
from muster.repository import node_container
from muster.settings import S3, Claim, ExistingClaim, FsxLustre, HostPath, Job, Settings, Storage

WORKLOAD_PATH = "/workload"
"""Where every pod finds the files of its workload."""
ANY_SIZE = "1Ti"
"""Capacity that a volume of a file system or bucket claims to have: a claim that is bound can't grow with its storage.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#expanding-persistent-volumes-claims
"""
TAKEN = (WORKLOAD_PATH, "/dev", "/proc", "/sys")
"""Paths that belong to the workload's files and to the container runtime, with everything below them."""


def mounts(
    name: str, job: Job, storages: Mapping[str, Storage], runtime: Document | None, notes: Notes
) -> tuple[MountPlan, ...]:
    """What a job mounts; mistakes are noted. Each run has a folder of its own in each claim."""
    made = []
    taken = (
        {mount["mountPath"]: "the runtime" for mount in node_container(runtime).get("volumeMounts", [])}
        if runtime
        else {}
    )
    if job.checkpoints is not None and job.checkpoints.storage in job.storage:
        expected = f"one key: jobs.{name}.storage mounts it too"
        notes.problem(f"jobs.{name}.checkpoints.storage", job.checkpoints.storage, expected)
    for storage_name, path in sorted(job.volumes.items()):
        key = f"jobs.{name}.{job.volume_key(storage_name)}"
        own = job.checkpoints is not None and job.checkpoints.storage == storage_name
        path_key = f"jobs.{name}.checkpoints.path" if own else key
        reserved = next((other for other in TAKEN if path == other or path.startswith(f"{other}/")), None)
        if reserved is not None:
            notes.problem(path_key, path, f"a path outside {', '.join(TAKEN)}")
        elif path in taken:
            notes.problem(path_key, path, f"a path of its own: {taken[path]} is mounted there")
        taken[path] = f"storage {storage_name}"
        storage = notes.lookup(key, storage_name, storages, "storage")
        if storage is None:
            continue
        if isinstance(storage, S3) and own:
            notes.phrase(key, "a bucket, which pods only read", "a storage of another kind: every rank writes its part")
        if isinstance(storage, ExistingClaim) and storage.namespace not in (None, job.namespace):
            found = f"a claim in namespace {storage.namespace}"
            notes.phrase(
                key, found, f"one in {job.namespace}, the job's namespace: pods mount claims of their own only"
            )
        claim = storage.claim_name if isinstance(storage, ExistingClaim) else storage_name
        sub_path = "" if isinstance(storage, S3) else f"{name}/run-{job.run}"
        made.append(MountPlan(storage_name, claim, path, sub_path))
    return tuple(made)


def claims(stack: str, settings: Settings, notes: Notes) -> tuple[ClaimPlan, ...]:
    """Claims that the stack makes, also for jobs that are switched off, whose data stays.

    An existing claim that bears the name of one of them is noted.
    """
    used = sorted({(job.namespace, name) for job in settings.jobs.values() for name in job.volumes})
    made: dict[tuple[str, str], ClaimPlan] = {}
    for namespace, name in used:
        match settings.storage.get(name):
            case HostPath() as storage:
                volume = f"muster.{stack}.{namespace}.{name}"
                made[namespace, name] = ClaimPlan(name, namespace, storage.size, volume=volume, host_path=storage.path)
            case FsxLustre():
                volume = f"muster.{stack}.{namespace}.{name}"
                made[namespace, name] = ClaimPlan(name, namespace, ANY_SIZE, volume=volume, file_system=name)
            case S3() as storage:
                volume = f"muster.{stack}.{namespace}.{name}"
                made[namespace, name] = ClaimPlan(name, namespace, ANY_SIZE, volume=volume, bucket=storage.bucket)
            case Claim() as storage:
                made[namespace, name] = ClaimPlan(name, namespace, storage.size, storage_class=storage.storage_class)
    for namespace, name in used:
        match settings.storage.get(name):
            case ExistingClaim(claim_name=claim) if (namespace, claim) in made:
                expected = f"another claim: storage {claim} makes the one of that name in namespace {namespace}"
                notes.problem(f"storage.{name}.claimName", claim, expected)
    return tuple(made.values())


def existing_namespaces(settings: Settings) -> frozenset[str]:
    """Namespaces that hold an existing claim, and so exist themselves."""
    return frozenset(
        job.namespace
        for job in settings.jobs.values()
        for name in job.volumes
        if isinstance(settings.storage.get(name), ExistingClaim)
    )
