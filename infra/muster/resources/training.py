"""Queues, shared volumes, runtimes and jobs: everything that stands on the installed platform."""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pulumi
import pulumi_kubernetes as k8s
from pydantic.alias_generators import to_snake

from muster.manifests import node, queue, runtime, secret, service, storage, trainjob, workload
from muster.plan import ClaimPlan, FilesPlan, JobPlan, NodePlan, QueuePlan, RuntimePlan, SecretPlan, ServicePlan
from muster.report.reader import Reader
from muster.resources import gate
from muster.resources.provider import Cluster

Document = Mapping[str, Any]

# Trainer's CRDs carry the JobSet's own immutability rules, so these paths of a live runtime can't be edited.
# https://github.com/kubeflow/trainer/blob/v2.3.0/manifests/base/crds/trainer.kubeflow.org_clustertrainingruntimes.yaml
RUNTIME_REPLACES = [
    f"spec.template.spec.{path}"
    for path in ("failurePolicy", "network", "startupPolicy", "successPolicy", "volumeClaimPolicies")
]


# https://github.com/kubeflow/trainer/blob/v2.3.0/pkg/apis/trainer/v1alpha1/trainjob_types.go
JOB_REPLACES = [
    f"spec.{path}"
    for path in ("runtimeRef", "initializer", "trainer", "runtimePatches", "activeDeadlineSeconds", "managedBy")
]


def nodes(plans: Sequence[NodePlan], cluster: Cluster) -> list[pulumi.Resource]:
    """Simulated nodes."""
    return [_plain(k8s.core.v1.Node, f"node-{plan.name}", node.build(plan), cluster, []) for plan in plans]


def queues(
    plans: Sequence[QueuePlan], cluster: Cluster, depends_on: Sequence[pulumi.Resource]
) -> dict[str, pulumi.Resource]:
    """Queues of the gang scheduler by name."""
    return {plan.name: custom(f"queue-{plan.name}", queue.build(plan), cluster, depends_on) for plan in plans}


def storage_class(cluster: Cluster) -> pulumi.Resource:
    """The default class of volumes on AWS."""
    return _plain(k8s.storage.v1.StorageClass, "gp3", storage.GP3, cluster, [])


def claims(
    plans: Sequence[ClaimPlan],
    cluster: Cluster,
    namespaces: Mapping[str, pulumi.Resource],
    file_systems: Mapping[str, Mapping[str, Any]],
    region: str,
) -> dict[tuple[str, str], pulumi.Resource]:
    """Shared volumes by (namespace, claim); one of the stack's own is a PersistentVolume and its claim.

    `file_systems` are outputs of the stack's file systems by storage name, `region` is where its buckets are.
    """
    made: dict[tuple[str, str], pulumi.Resource] = {}
    for plan in plans:
        where = [namespaces[plan.namespace]] if plan.namespace in namespaces else []
        name = f"{plan.namespace}-{plan.name}"
        if plan.volume is not None:
            volume = storage.volume(plan, file_systems.get(plan.file_system or ""), region)
            where += [_plain(k8s.core.v1.PersistentVolume, f"volume-{name}", volume, cluster, [])]
        # A claim that no pod uses yet stays Pending where its class binds late; jobs don't need it bound before.
        document = _annotated(storage.claim(plan), {"pulumi.com/skipAwait": "true"})
        made[plan.namespace, plan.name] = _plain(
            k8s.core.v1.PersistentVolumeClaim, f"claim-{name}", document, cluster, where
        )
    return made


def files(
    plans: Sequence[FilesPlan], cluster: Cluster, namespaces: Mapping[str, pulumi.Resource]
) -> dict[tuple[str, str], pulumi.Resource]:
    """ConfigMaps of workloads' files by (namespace, name). A changed file is a new ConfigMap, never an edited one."""
    made: dict[tuple[str, str], pulumi.Resource] = {}
    for plan in plans:
        where = [namespaces[plan.namespace]] if plan.namespace in namespaces else []
        name = f"files-{plan.namespace}-{plan.workload}"
        made[plan.namespace, plan.name] = _plain(k8s.core.v1.ConfigMap, name, workload.build(plan), cluster, where)
    return made


def secrets(
    plans: Sequence[SecretPlan],
    cluster: Cluster,
    namespaces: Mapping[str, pulumi.Resource],
    values: pulumi.Output[Mapping[str, str]],
) -> dict[tuple[str, str], pulumi.Resource]:
    """Secrets by (namespace, name), their values sealed in the state.

    A new value changes the Secret in place: jobs that run keep the old one until they are run again.
    """
    made: dict[tuple[str, str], pulumi.Resource] = {}
    for plan in plans:
        where = [namespaces[plan.namespace]] if plan.namespace in namespaces else []
        value = values.apply(partial(_encoded, plan.name))
        document = secret.build(plan, value)
        name = f"secret-{plan.namespace}-{plan.name}"
        made[plan.namespace, plan.name] = _plain(k8s.core.v1.Secret, name, document, cluster, where)
    return made


def _encoded(name: str, values: Mapping[str, str]) -> str:
    return base64.b64encode(str(values[name]).encode()).decode()


def services(plans: Sequence[ServicePlan], cluster: Cluster, namespaces: Mapping[str, pulumi.Resource]) -> None:
    """Addresses of jobs that serve; their endpoints come and go with the pods, nothing waits for them."""
    for plan in plans:
        where = [namespaces[plan.namespace]] if plan.namespace in namespaces else []
        document = _annotated(service.build(plan), {"pulumi.com/skipAwait": "true"})
        _plain(k8s.core.v1.Service, f"service-{plan.namespace}-{plan.job}", document, cluster, where)


def runtimes(
    plans: Sequence[RuntimePlan],
    cluster: Cluster,
    namespaces: Mapping[str, pulumi.Resource],
    depends_on: Sequence[pulumi.Resource],
) -> dict[str, pulumi.Resource]:
    """Runtimes by name. An edit that the API server can't make in place replaces the runtime, never the jobs on it."""
    return {
        plan.name: custom(
            f"runtime-{plan.name}",
            runtime.build(plan),
            cluster,
            [*depends_on, *(made for name, made in namespaces.items() if name == plan.namespace)],
            replace_on_changes=RUNTIME_REPLACES,
            delete_before_replace=True,
        )
        for plan in plans
    }


def jobs(
    plans: Sequence[JobPlan],
    cluster: Cluster,
    depends_on: Callable[[JobPlan], pulumi.Input[Sequence[pulumi.Resource]]],
    connect: Callable[[], Reader] | None,
) -> None:
    """TrainJobs, each waited for as its `wait` says; none where `connect` is None.

    A TrainJob can't be edited but for `suspend`: any other change replaces it.
    """
    for plan in plans:
        made = custom(
            f"job-{plan.namespace}-{plan.name}",
            trainjob.build(plan),
            cluster,
            depends_on(plan),
            replace_on_changes=JOB_REPLACES,
            delete_before_replace=True,
        )
        if connect is not None:
            gate.hold(plan, made, connect)


def custom(
    name: str,
    document: Document,
    cluster: Cluster,
    depends_on: pulumi.Input[Sequence[pulumi.Resource]],
    **options: Any,
) -> k8s.apiextensions.CustomResource:
    """A custom resource from its manifest, created again while the webhook that admits it is still starting."""
    return k8s.apiextensions.CustomResource(
        name,
        api_version=document["apiVersion"],
        kind=document["kind"],
        metadata=document["metadata"],
        spec=document.get("spec"),
        opts=pulumi.ResourceOptions(
            provider=cluster.provider,
            depends_on=depends_on,
            hooks=pulumi.ResourceHookBinding(on_error=[cluster.webhook_not_ready]),
            **options,
        ),
    )


def _plain(
    kind: Callable[..., pulumi.Resource],
    name: str,
    document: Document,
    cluster: Cluster,
    depends_on: Sequence[pulumi.Resource],
) -> pulumi.Resource:
    body = {to_snake(key): value for key, value in document.items() if key not in ("apiVersion", "kind")}
    return kind(name, opts=pulumi.ResourceOptions(provider=cluster.provider, depends_on=list(depends_on)), **body)


def _annotated(document: Document, annotations: Mapping[str, str]) -> Document:
    metadata = document["metadata"]
    return {**document, "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **annotations}}}
