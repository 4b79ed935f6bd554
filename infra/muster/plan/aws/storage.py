"""Storage on AWS: file systems and buckets, in the zones of the pools that use them."""

from collections.abc import Mapping

from muster.catalog.services import Services
from muster.plan.aws.parts import BucketPlan, FileSystemPlan
from muster.plan.notes import Notes
from muster.plan.parts import PoolPlan
from muster.settings import S3, FsxLustre, Settings

SMALLEST_GIB, STEP_GIB = 1200, 2400
"""https://docs.aws.amazon.com/fsx/latest/APIReference/API_CreateFileSystem.html (StorageCapacity, SSD)"""


def file_systems(settings: Settings, services: Services, notes: Notes) -> tuple[FileSystemPlan, ...]:
    """File systems of the stack; mistakes are noted."""
    made = []
    for name, storage in settings.storage.items():
        if not isinstance(storage, FsxLustre):
            continue
        size = storage.size_gi_b
        if size != SMALLEST_GIB and (size <= 0 or size % STEP_GIB):
            notes.problem(f"storage.{name}.sizeGiB", size, f"{SMALLEST_GIB}, or a multiple of {STEP_GIB}")
        monthly = size * services.prices.fsx_lustre[storage.throughput]
        made.append(FileSystemPlan(name, storage.zone, size, storage.throughput, storage.bucket, monthly))
    return tuple(made)


def buckets(settings: Settings) -> tuple[BucketPlan, ...]:
    """Buckets that pods read."""
    return tuple(
        BucketPlan(name, storage.bucket) for name, storage in settings.storage.items() if isinstance(storage, S3)
    )


def check_jobs(settings: Settings, pools: Mapping[str, PoolPlan], notes: Notes) -> None:
    """Note jobs whose storage is in another zone than their nodes, and gangs on spot that would lose everything."""
    for name, job in settings.jobs.items():
        runtime = settings.runtimes.get(job.runtime)
        pool = settings.pools.get(runtime.pool) if runtime else None
        if runtime is None or pool is None or runtime.pool not in pools:
            continue
        for storage_name in job.volumes:
            storage = settings.storage.get(storage_name)
            if isinstance(storage, FsxLustre) and storage.zone != pool.zone:
                found = f"a file system in {storage.zone}"
                where = f"in {pool.zone}" if pool.zone else "spread over zones"
                expected = f"one in the zone of pool {runtime.pool}, whose nodes are {where}"
                notes.phrase(f"jobs.{name}.{job.volume_key(storage_name)}", found, expected)
        if pool.capacity is not None and pool.capacity.mode == "spot" and job.nodes > 1:
            kept = [name for name in job.volumes if not isinstance(settings.storage.get(name), S3)]
            if not kept:
                expected = "a storage for them: on spot, one node that is taken back restarts the whole gang"
                notes.phrase(f"jobs.{name}.checkpoints", "none", expected)
