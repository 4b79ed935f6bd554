"""Jobs: TrainJobs with everything resolved, and everything that could not work found before it is tried."""

from collections.abc import Mapping

from muster import durations, names
from muster.plan import resources, secrets, volumes
from muster.plan.inputs import Inputs
from muster.plan.notes import Notes
from muster.plan.parts import GPU, CheckpointsPlan, FilesPlan, JobPlan, MountPlan, RuntimePlan, ServicePlan
from muster.repository import SERVING_PORT, Workload, serves
from muster.settings import Job, Resources

DEFAULT_QUEUE = "default"
"""Queue of a runtime, and of a job that names none; the gang scheduler makes it itself."""
FILES_LIMIT_BYTES = 1024**2 - 16 * 1024
"""Data of one ConfigMap, with room for its metadata: https://kubernetes.io/docs/concepts/configuration/configmap/"""
TRAINER_LIST_LIMIT = 128
"""Arguments, and variables, of a TrainJob: https://github.com/kubeflow/trainer/blob/v2.3.0/pkg/apis/trainer/v1alpha1/trainjob_types.go"""
RAY_SERVE = "https://docs.ray.io/en/latest/serve/"
POD_INTERFACE = "eth0"
CLUSTER_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
"""Namespaces that every cluster has."""


def make(name: str, job: Job, runtimes: Mapping[str, RuntimePlan], inputs: Inputs) -> JobPlan | None:
    """The job as it will be, None after noting why it can't, or where its runtime is not among those planned."""
    key, notes, settings = f"jobs.{name}", inputs.notes, inputs.settings
    notes.known(f"{key}.runtime", job.runtime, settings.runtimes, "runtime")
    workload = notes.lookup(f"{key}.workload", job.workload, inputs.repository.workloads, "workload")
    runtime = runtimes.get(job.runtime)
    mounts = volumes.mounts(name, job, settings.storage, runtime.template if runtime else None, notes)
    _check_own(name, job, inputs)
    if workload is not None:
        _check_workload(key, job, workload, notes)
    if runtime is not None:
        _check_size(name, job, runtime, inputs)
        _check_use(name, job, runtime, notes)
    if workload is None or runtime is None:
        return None
    return _plan(name, job, workload, runtime, mounts)


def files(namespace: str, workload: Workload) -> FilesPlan:
    """The ConfigMap of a workload's files in a namespace."""
    name = f"{workload.name}-{names.content_hash(workload.files)}"
    return FilesPlan(name, namespace, workload.name, workload.files)


def _plan(name: str, job: Job, workload: Workload, runtime: RuntimePlan, mounts: tuple[MountPlan, ...]) -> JobPlan:
    queue_annotation = runtime.backend.queue_annotation
    own = job.resources or Resources()
    requests, limits = resources.complete(own.requests, own.limits)
    own_queue = job.queue not in (None, DEFAULT_QUEUE)
    return JobPlan(
        name=name,
        namespace=job.namespace,
        manifest=workload.document,
        runtime=job.runtime,
        runtime_kind=runtime.kind,
        pool=runtime.pool.name,
        files=files(job.namespace, workload).name,
        nodes=job.nodes,
        processes_per_node=job.processes_per_node or gpus(job, runtime) or 1,
        queue=(job.queue or DEFAULT_QUEUE) if queue_annotation else None,
        queue_annotation=queue_annotation if own_queue else None,
        image=job.image,
        args=job.args,
        env=job.env,
        secrets=job.secrets,
        requests=requests,
        limits=limits,
        mounts=mounts,
        checkpoints=_checkpoints(job, mounts),
        service=_service(name, job, runtime),
        suspend=job.suspend,
        wait="none" if job.suspend else job.wait,
        timeout_s=durations.seconds(job.timeout),
        deadline_s=durations.seconds(job.deadline) if job.deadline else None,
        run=job.run,
    )


def _checkpoints(job: Job, mounts: tuple[MountPlan, ...]) -> CheckpointsPlan | None:
    if job.checkpoints is None:
        return None
    found = [mount for mount in mounts if mount.storage == job.checkpoints.storage]
    return CheckpointsPlan(found[0].path, found[0].claim, found[0].sub_path, job.checkpoints.keep) if found else None


def _service(name: str, job: Job, runtime: RuntimePlan) -> ServicePlan | None:
    if not serves(runtime.template):
        return None
    return ServicePlan(f"{name}-{SERVING_PORT}", job.namespace, name, SERVING_PORT)


def gpus(job: Job, runtime: RuntimePlan) -> int:
    """GPUs of one pod of the job."""
    own = job.resources or Resources()
    return resources.gpus({GPU: str(runtime.pool.gpus), **resources.complete(own.requests, own.limits)[1]})


def _check_own(name: str, job: Job, inputs: Inputs) -> None:
    """What the job's own words and the stack's queues decide."""
    key, backend, notes = f"jobs.{name}", inputs.backend, inputs.notes
    limit = names.train_job_limit(job.nodes)
    if len(name) > limit:
        notes.phrase(
            key, f"a name of {len(name)} characters", f"at most {limit}, so that the names of {job.nodes} pods fit"
        )
    if job.queue is not None and backend.queue_annotation is None:
        notes.problem(f"{key}.queue", job.queue, f"no queue: gang scheduler {backend.name} has none")
    elif job.queue is not None:
        notes.known(f"{key}.queue", job.queue, {DEFAULT_QUEUE, *inputs.settings.queues}, "queue")
    if job.nodes > 1 and not backend.multi_node:
        expected = f"1, or another platform.gang.scheduler: {backend.name} places pods one by one"
        notes.problem(f"{key}.nodes", job.nodes, expected)
    if job.namespace in CLUSTER_NAMESPACES:
        notes.problem(f"{key}.namespace", job.namespace, "a namespace of the jobs' own, not one of the cluster's")
    for variable in job.env:
        if names.is_reserved_env(variable):
            notes.reserved(f"{key}.env.{variable}")
    secrets.check(key, job, inputs.settings.secrets, notes)
    if job.deadline and job.wait != "none" and durations.seconds(job.deadline) < durations.seconds(job.timeout):
        notes.warning(
            f"{key}.deadline", f"{job.deadline} ends the job before its timeout of {job.timeout} ends the wait"
        )
    if job.suspend and job.wait != "none":
        notes.warning(f"{key}.wait", "has no effect while the job is suspended")
    if job.wait == "none" and "timeout" in job.model_fields_set:
        notes.warning(f"{key}.timeout", "has no effect without wait")


def _check_workload(key: str, job: Job, workload: Workload, notes: Notes) -> None:
    """What the job and its workload's manifest and files decide together."""
    trainer = workload.document["spec"]["trainer"]
    args = len(trainer["args"]) + len(job.args)
    if args > TRAINER_LIST_LIMIT:
        notes.phrase(f"{key}.args", f"{args} arguments with those of {workload.file}", f"at most {TRAINER_LIST_LIMIT}")
    variables = (
        {variable["name"] for variable in trainer.get("env", [])}
        | job.env.keys()
        | job.secrets.keys()
        | {"MUSTER_RUN", "MUSTER_JOB"}
    )
    if len(variables) > TRAINER_LIST_LIMIT:
        notes.phrase(f"{key}.env", f"{len(variables)} variables in all", f"at most {TRAINER_LIST_LIMIT}")
    size = sum(len(name.encode()) + len(text.encode()) for name, text in workload.files.items())
    if size > FILES_LIMIT_BYTES:
        found = f"{size} bytes of files in workloads/{workload.name}"
        notes.phrase(f"{key}.workload", found, f"at most {FILES_LIMIT_BYTES}, what a ConfigMap holds")


def _check_use(name: str, job: Job, runtime: RuntimePlan, notes: Notes) -> None:
    """What the job and the kind of its runtime decide together."""
    key = f"jobs.{name}"
    if runtime.namespace not in (None, job.namespace):
        found = f"a runtime of namespace {runtime.namespace}"
        notes.phrase(
            f"{key}.runtime", found, f"one of {job.namespace}, the job's namespace, or one without a namespace"
        )
    if not serves(runtime.template):
        return
    if job.nodes == 1:
        notes.problem(f"{key}.nodes", 1, f"2 or more: a model that fits one node belongs on Ray Serve, {RAY_SERVE}")
    if job.wait == "complete":
        notes.problem(f"{key}.wait", job.wait, "running or none: a job that serves has no end")
    if job.deadline is not None:
        notes.problem(f"{key}.deadline", job.deadline, "none: a job that serves has no end")


def _check_size(name: str, job: Job, runtime: RuntimePlan, inputs: Inputs) -> None:
    """What the job asks for against what its pool and queue have."""
    key, pool, notes = f"jobs.{name}", runtime.pool, inputs.notes
    if not pool.nodes and job.wait == "none":
        notes.warning(f"{key}.nodes", f"pool {pool.name} has no nodes now: the job waits until it has")
    elif job.nodes > pool.pods:
        notes.problem(f"{key}.nodes", job.nodes, f"at most {pool.pods}: pool {pool.name} has room for so many pods")
    if job.resources is not None:
        own = resources.complete(job.resources.requests, job.resources.limits)
        requests, limits = {**pool.requests, **own[0]}, {**pool.limits, **own[1]}
        resources.check(f"{key}.resources", requests, limits, pool.type, notes, efa=pool.efa)
        if not pool.gpus and resources.gpus(limits):
            notes.phrase(f"{key}.resources.limits.{GPU}", "GPUs", f"none: pool {pool.name} has no GPUs")
    if job.nodes > 1 and pool.gpus and pool.type is not None and pool.type.efa_interfaces and not pool.efa:
        notes.warning(f"{key}.nodes", f"the nodes talk over TCP: pool {pool.name} has efa: false")
    sockets = job.env.get("NCCL_SOCKET_IFNAME", "")
    if sockets.startswith("^") and any(POD_INTERFACE.startswith(part) for part in sockets[1:].split(",") if part):
        # https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/env.html#nccl-socket-ifname
        expected = f"a list that leaves {POD_INTERFACE}, the only interface of a pod, in"
        notes.problem(f"{key}.env.NCCL_SOCKET_IFNAME", sockets, expected)
    each = gpus(job, runtime)
    if each and (job.processes_per_node or 0) > each:
        notes.problem(f"{key}.processesPerNode", job.processes_per_node, f"at most {each}, the GPUs of a pod")
    queue = inputs.settings.queues.get(job.queue or DEFAULT_QUEUE)
    if queue is not None and queue.gpus is not None and job.nodes * each > queue.gpus:
        found = f"a job of {job.nodes * each} GPUs"
        notes.phrase(f"{key}.queue", found, f"at most {queue.gpus}, what queue {job.queue} may hold")
