"""An environment on AWS, planned from its settings."""

from collections.abc import Mapping

from muster.plan.aws import cluster as clusters
from muster.plan.aws import cost, groups, network, storage
from muster.plan.aws.parts import AwsPlan, BudgetPlan, RegistryPlan
from muster.plan.inputs import Inputs
from muster.plan.parts import PoolPlan
from muster.settings import AwsCluster

UPSTREAMS = {"ecr-public": "public.ecr.aws", "kubernetes": "registry.k8s.io", "quay": "quay.io"}
"""Public registries without credentials, by the prefix under which they are cached.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html
"""


def make(stack: str, pools: Mapping[str, PoolPlan], inputs: Inputs) -> AwsPlan | None:
    """Everything on AWS, None where the cluster is elsewhere; what can't be is noted."""
    settings, services, notes = inputs.settings, inputs.services, inputs.notes
    if not isinstance(settings.cluster, AwsCluster):
        return None
    aws = settings.cluster
    eks = clusters.make(stack, aws, inputs)
    file_systems = storage.file_systems(settings, services, notes)
    made = tuple(
        groups.make(name, pool, pool.type, aws, inputs) for name, pool in pools.items() if pool.type is not None
    )
    zones = {zone for group in made for zone in group.zones} | {item.zone for item in file_systems}
    net = network.make(aws, frozenset(zones), notes)
    groups.check_together(made, net, services, notes)
    storage.check_jobs(settings, pools, notes)
    spent = cost.make(eks, net, made, file_systems, inputs)
    cost.check(spent, made, aws.region, settings.budget, notes)
    alarm = settings.budget.monthly_usd
    registry = settings.platform.registry
    return AwsPlan(
        eks=eks,
        network=net,
        groups=made,
        file_systems=file_systems,
        buckets=storage.buckets(settings),
        budget=BudgetPlan(alarm, settings.budget.alarm_emails) if alarm is not None else None,
        registry=RegistryPlan(registry.repositories, UPSTREAMS if registry.pull_through else {}),
        cost=spent,
    )
