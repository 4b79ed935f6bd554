"""The 43 ways in which GPU environments on AWS are known to go wrong, in the order of docs/aws.md: a test for each."""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest
from muster import catalog, plan, releases, repository, settings
from muster.catalog import services
from muster.manifests import runtime
from muster.plan import releases as release_plans
from muster.plan import summary
from muster.plan.aws.parts import GroupPlan
from muster.problems import SettingsError
from muster.releases import Releases
from muster.resources import fabric
from muster.resources.aws import busy

from tests.program.recorder import CLUSTER_GROUP, Registration, well
from tests.unit import planned
from tests.unit.aws.environment import BLOCK, RIGHT, declared, edited, group, inputs, refused
from tests.unit.aws.environment import plan as planned_aws

TEMPLATE, GROUP = "aws:ec2/launchTemplate:LaunchTemplate", "aws:eks/nodeGroup:NodeGroup"
CLUSTER, ADDON = "aws:eks/cluster:Cluster", "aws:eks/addon:Addon"
ON_DEMAND = {"mode": "on-demand", "allowUnreserved": True}
G6E = {"instanceType": "g6e.48xlarge", "nodes": 2, "zone": "usw2-az2"}


def lines(edits: Mapping[str, Any] | None = None) -> str:
    return "\n".join(summary.lines(planned_aws(edits)))


def warnings(edits: Mapping[str, Any] | None = None) -> str:
    return "\n".join(planned_aws(edits).warnings)


def template(edits: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    return inputs(declared(edits), TEMPLATE, "pool-gpu")


def node_group(edits: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    return inputs(declared(edits), GROUP, "pool-gpu")


def values(release: str, edits: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    return next(item.values for item in planned_aws(edits).releases if item.name == release)


def runtime_of(edits: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
    (job,) = runtime.build(planned_aws(edits).runtimes[0])["spec"]["template"]["spec"]["replicatedJobs"]
    pod: Mapping[str, Any] = job["template"]["spec"]["template"]["spec"]
    return pod


def environment(edits: Mapping[str, Any] | None = None) -> dict[str, str]:
    return {item["name"]: item["value"] for item in runtime_of(edits)["containers"][0]["env"]}


def with_version(chart: str, version: str) -> Releases:
    locked = releases.load()
    online = locked.charts[chart].online.model_copy(update={"version": version})
    changed = locked.charts[chart].model_copy(update={"online": online})
    return locked.model_copy(update={"charts": {**locked.charts, chart: changed}})


def planned_with(locked: Releases, edits: Mapping[str, Any] | None = None) -> str:
    config = {f"muster:{key}": value for key, value in edited(edits or {}).items()}
    with pytest.raises(SettingsError) as caught:
        plan.make(
            settings.parse(config, "FILE"),
            repository.load(planned.CHECKOUT),
            catalog.load(),
            services.load(),
            locked,
            stack="test",
            source="FILE",
            now=planned.NOW,
        )
    return str(caught.value)


class Cluster:
    """Answers of an API server, by path."""

    def __init__(self, **listings: Sequence[Mapping[str, Any]]) -> None:
        self.listings = listings

    def get(self, path: str, **_: str) -> dict[str, Any] | None:
        return {"items": list(self.listings.get(path.rpartition("/")[2], ()))}

    def log(self, *_: object) -> list[str]:
        return []


def gpu_node(name: str, **devices: str) -> dict[str, Any]:
    names = {"gpus": "nvidia.com/gpu", "efa": "vpc.amazonaws.com/efa"}
    allocatable = {names[key]: value for key, value in devices.items()}
    ready = [{"type": "Ready", "status": "True"}]
    return {"metadata": {"name": name}, "status": {"allocatable": allocatable, "conditions": ready}}


def policy(reason: str) -> dict[str, Any]:
    return {"status": {"state": "ready", "conditions": [{"type": "Ready", "status": "True", "reason": reason}]}}


def rules(made: Sequence[Registration], direction: str, name: str) -> Mapping[str, Any]:
    return inputs(made, f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule", name)


def test_01_p_types_on_demand_must_be_wanted() -> None:
    assert "or allowUnreserved: true" in refused({"pools.gpu.capacity": {"mode": "on-demand"}})
    assert "on-demand, no reservation: may not start" in lines({"pools.gpu.capacity": ON_DEMAND})


@pytest.mark.parametrize("capacity", [RIGHT["pools"]["gpu"]["capacity"], BLOCK])
def test_02_no_placement_group_within_a_reservation(capacity: dict[str, Any]) -> None:
    made = declared({"pools.gpu.capacity": capacity})
    assert "placement" not in inputs(made, TEMPLATE, "pool-gpu")
    assert not [one for one in made if "placementGroup" in one.kind]
    wanted = declared({"pools.gpu.capacity": {**ON_DEMAND, "placementGroup": True}})
    assert inputs(wanted, TEMPLATE, "pool-gpu")["placement"] == {"groupName": "muster-test-gpu"}


def test_03_a_pool_is_in_the_zone_of_its_type_reservation_and_file_system() -> None:
    away = {"pools.gpu.instanceType": "p5e.48xlarge", "pools.gpu.zone": "usw2-az1", "storage": None, "jobs": None}
    assert "usw2-az1 is not known to have p5e.48xlarge" in warnings(away)
    assert len(node_group()["subnetIds"]) == 1

    def elsewhere(token: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if token.endswith("getInstanceTypeOfferings"):
            return {"locations": ["usw2-az3"], "instanceTypes": ["p5.48xlarge"]}
        return well(token, asked)

    with pytest.raises(SettingsError, match=r"pools\.gpu\.zone: found usw2-az2, where AWS has no p5\.48xlarge"):
        declared(answers=elsewhere)

    def other_account(token: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if token.endswith("getAvailabilityZone"):
            return {"name": "us-west-2d", "zoneId": asked["zoneId"]}
        return well(token, asked)

    with pytest.raises(Exception, match=r"usw2-az2 \(us-west-2d\); expected name-of-usw2-az2, the reservation's"):
        declared(answers=other_account)
    assert "expected one in the zone of pool gpu" in refused({"storage.checkpoints.zone": "usw2-az1"})


def test_04_no_control_plane_in_zones_that_eks_refuses() -> None:
    edits = {"cluster.region": "us-east-1", "cluster.zones": ["use1-az1", "use1-az3"], "pools.gpu.zone": "use1-az2"}
    assert "EKS puts no control plane there" in refused({**edits, "storage.checkpoints.zone": "use1-az2"})


def test_05_every_interface_has_the_cluster_group_and_one_open_to_itself() -> None:
    made = declared()
    nics = inputs(made, TEMPLATE, "pool-gpu")["networkInterfaces"]
    assert {tuple(nic["securityGroups"]) for nic in nics} == {(CLUSTER_GROUP, "fabric-id")}
    for direction in ("Ingress", "Egress"):
        rule = rules(made, direction, "fabric")
        assert (rule["ipProtocol"], rule["referencedSecurityGroupId"]) == ("-1", rule["securityGroupId"])
    assert inputs(made, TEMPLATE, "pool-system")["vpcSecurityGroupIds"] == [CLUSTER_GROUP, "fabric-id"]


def test_06_as_many_efa_interfaces_as_the_type_has_and_no_public_address() -> None:
    made = declared()
    nics = inputs(made, TEMPLATE, "pool-gpu")["networkInterfaces"]
    assert [nic["interfaceType"] for nic in nics].count("efa-only") == 32
    assert all("associatePublicIpAddress" not in nic for nic in nics)
    subnets = [one for one in made if one.kind == "aws:ec2/subnet:Subnet"]
    assert subnets
    assert all(one.inputs["mapPublicIpOnLaunch"] is False for one in subnets)
    assert "32 EFA + 1 ENA per node" in lines()


def test_07_nothing_that_eks_forbids_in_a_launch_template() -> None:
    forbidden = {"iamInstanceProfile", "hibernationOptions", "instanceInitiatedShutdownBehavior", "keyName"}
    made = template()
    assert not forbidden & set(made)
    assert all("subnetId" not in nic for nic in made["networkInterfaces"])
    assert "diskSize" not in node_group()


def test_08_no_image_id_beside_a_pinned_release() -> None:
    assert "imageId" not in template()
    assert (node_group()["amiType"], node_group()["releaseVersion"]) == ("AL2023_x86_64_NVIDIA", "1.35.4-20261023")


def test_09_the_instance_type_stands_in_one_place() -> None:
    assert node_group()["instanceTypes"] == ["p5.48xlarge"]
    assert "instanceType" not in template()
    block = {"pools.gpu.capacity": BLOCK}
    assert "instanceTypes" not in node_group(block)
    assert template(block)["instanceType"] == "p5.48xlarge"


def test_10_efa_is_refused_where_a_type_has_none_and_a_smaller_sibling_is_named() -> None:
    small = {"instanceType": "g6e.4xlarge", "nodes": 2, "zone": "usw2-az2", "efa": True}
    assert "or g6e.8xlarge, the smallest g6e with EFA" in refused({"pools.gpu": small})
    limits = {"jobs.train.resources": {"limits": {"vpc.amazonaws.com/efa": 33}}}
    assert "expected at most 32, what one p5.48xlarge of the pool has" in refused(limits)


def test_11_a_pool_is_of_one_type() -> None:
    assert "pools.gpu.instanceType: found a list" in refused(
        {"pools.gpu.instanceType": ["p5.48xlarge", "p4d.24xlarge"]}
    )
    assert len(node_group()["instanceTypes"]) == 1


def test_12_quotas_are_counted_and_asked() -> None:
    assert "quota L-417A185B: 384 vCPU" in lines()
    assert "quota L-3819A6DF" in lines({"pools.gpu": {**G6E, "capacity": {"mode": "spot"}}})

    def new_account(token: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        if token.endswith("getServiceQuota"):
            return {"value": 96.0, "quotaName": "Running On-Demand P instances"}
        return well(token, asked)

    with pytest.raises(SettingsError, match=r"384 vCPU of gpu against quota L-417A185B; expected at most 96"):
        declared(answers=new_account)


def test_13_subnets_have_room_for_nodes_and_pods() -> None:
    given = {"kind": "given", "vpc": "vpc-0a1b2c3d"}
    zones = {"usw2-az1": {"id": "subnet-0a1b2c31", "cidr": "10.0.0.0/24"}}
    zones["usw2-az2"] = {"id": "subnet-0a1b2c32", "cidr": "10.0.1.0/26"}
    found = refused({"cluster.network": {**given, "subnets": zones}, "pools.gpu.nodes": 2, "pools.system.nodes": 4})
    assert "100 addresses for the nodes of system, gpu; expected at most 59, what 10.0.1.0/26 in usw2-az2 has" in found
    addon = inputs(declared(), ADDON, "vpc-cni")
    assert json.loads(addon["configurationValues"])["env"]["WARM_IP_TARGET"] == "8"
    assert "50 IPs" in lines()


def test_14_many_interfaces_are_warned_of() -> None:
    assert "network interfaces; a region's quota is 5000" in warnings({"pools.gpu.nodes": 150, "jobs.train.nodes": 2})
    assert "66 ENIs" in lines()


def test_15_nodes_take_no_more_pods_than_they_have_addresses() -> None:
    assert "at most 51 pods a node" in lines()
    assert '"maxPods": 51' in base64.b64decode(template()["userData"]).decode()


def test_16_the_efa_plugin_tolerates_every_taint_and_knows_the_types() -> None:
    taint = {"key": "team", "value": "research", "effect": "NoSchedule"}
    made = values("efa-device-plugin", {"pools.gpu.taints": [taint]})
    assert {"operator": "Equal", **taint} in made["tolerations"]
    assert {"key": "nvidia.com/gpu", "operator": "Equal", "value": "true", "effect": "NoSchedule"} in made[
        "tolerations"
    ]
    assert made["supportedInstanceLabels"]["values"] == ["p5.48xlarge"]
    old = with_version("aws-efa-k8s-device-plugin", "v0.5.9")
    b200 = {"pools.gpu.instanceType": "p6-b200.48xlarge", "pools.gpu.zone": "usw2-az2"}
    assert "expected 0.5.10 or later: it counts two NVLink controllers as EFA" in planned_with(old, b200)


def test_17_gpu_operators_that_grab_the_fabric_are_refused() -> None:
    for version in ("v26.3.0", "v26.3.2"):
        assert "expected 26.3.3 or later" in planned_with(with_version("gpu-operator", version))
    assert release_plans._number("v26.3.3") < release_plans._number("v26.7.0")


def test_18_one_device_plugin() -> None:
    own = {"pools.gpu.ami": {"type": "bottlerocket-nvidia", "release": "1.35.0-abcdef01"}}
    assert values("gpu-operator", own)["devicePlugin"]["enabled"] is False
    assert values("gpu-operator")["devicePlugin"]["enabled"] is True
    both = {"pools.more": {**G6E, "ami": {"type": "bottlerocket-nvidia"}}}
    assert "only one brings its own device plugin" in refused(both)


def test_19_the_node_image_brings_driver_and_toolkit() -> None:
    made = values("gpu-operator")
    assert not made["driver"]["enabled"]
    assert not made["toolkit"]["enabled"]
    assert not made["driver"]["rdma"]["enabled"]


def test_20_no_service_monitor_without_its_kind() -> None:
    assert values("gpu-operator")["dcgmExporter"]["serviceMonitor"]["enabled"] is False
    wanted = {"platform.gpuOperator.monitoring": True}
    assert values("gpu-operator", wanted)["dcgmExporter"]["serviceMonitor"]["enabled"] is True


def test_21_a_ready_operator_is_not_enough() -> None:
    groups = planned_aws().aws.groups  # type: ignore[union-attr]
    devices = {"gpus": "8", "efa": "32"}
    right = Cluster(nodes=[gpu_node("a", **devices), gpu_node("b", **devices)], clusterpolicies=[policy("Reconciled")])
    assert fabric.lacks(groups, right) == []
    empty = Cluster(nodes=[], clusterpolicies=[policy("NoGPUNodes")])
    assert fabric.lacks(groups, empty) == ["pool gpu: 0 of 2 nodes are ready", "GPU Operator: ready, NoGPUNodes"]
    slow = Cluster(nodes=[gpu_node("a", **devices), gpu_node("b", gpus="8")], clusterpolicies=[policy("Reconciled")])
    (line,) = fabric.lacks(groups, slow)
    assert line.startswith("pool gpu: node b has 0 of 32 vpc.amazonaws.com/efa; does the EFA plugin tolerate")


def test_22_the_validator_takes_no_gpu() -> None:
    assert {"name": "WITH_WORKLOAD", "value": "false"} in values("gpu-operator")["validator"]["plugin"]["env"]


def test_23_updates_need_no_second_set_of_machines() -> None:
    made = node_group()
    assert made["updateConfig"] == {"maxUnavailable": 1, "updateStrategy": "MINIMAL"}
    assert made["releaseVersion"]
    (registration,) = [one for one in declared() if one.kind == GROUP and one.name == "pool-gpu"]
    assert registration.request.deleteBeforeReplace


def test_24_nodes_with_running_jobs_are_not_updated_by_accident() -> None:
    old, new = {"releaseVersion": "1.35.4-20261023"}, {"releaseVersion": "1.35.5-20261120"}
    labels = {"jobset.sigs.k8s.io/jobset-name": "train"}
    pod = {"metadata": {"namespace": "training", "labels": labels}, "spec": {"nodeName": "a"}}
    running = Cluster(nodes=[gpu_node("a")], pods=[pod])
    with pytest.raises(RuntimeError, match=r"nodes go on which jobs run \(training/train\)"):
        busy.refuse(group(), old, new, lambda: running)
    shrinking = {"scalingConfig": {"desiredSize": 2}}, {"scalingConfig": {"desiredSize": 1}}
    with pytest.raises(RuntimeError, match="training/train"):
        busy.refuse(group(), *shrinking, lambda: running)
    busy.refuse(group(), *reversed(shrinking), lambda: running)
    busy.refuse(group({"pools.gpu.interruptJobs": True}), old, new, lambda: running)
    busy.refuse(group(), old, new, lambda: Cluster(nodes=[gpu_node("a")]))


def test_25_a_capacity_block_begins_and_ends() -> None:
    made = group({"pools.gpu.capacity": BLOCK}).capacity
    assert made.ends is not None
    assert made.safe_until == made.ends - timedelta(minutes=40)
    assert "ends 2026-12-01 11:30 UTC (last checkpoint 2026-12-01 10:50 UTC)" in lines({"pools.gpu.capacity": BLOCK})
    assert "expected 0 until the block starts" in refused(
        {"pools.gpu.capacity": {**BLOCK, "starts": "2026-11-30T11:30:00Z"}}
    )
    over = {"pools.gpu.capacity": {**BLOCK, "ends": "2026-11-22T11:30:00Z"}}
    assert "the block's nodes go 40 minutes before it ends" in refused(over)


def test_26_a_replaced_group_gets_a_name_of_its_own() -> None:
    made = node_group()
    assert made["nodeGroupNamePrefix"] == "gpu-"
    assert "nodeGroupName" not in made


def test_27_sizes_are_in_order_for_every_number_of_nodes() -> None:
    for nodes in (0, 1, 64):
        sizes = node_group({"pools.gpu.nodes": nodes, "jobs": None})["scalingConfig"]
        assert sizes["minSize"] <= sizes["desiredSize"] == nodes <= sizes["maxSize"]
        assert sizes["maxSize"] >= 1


def test_28_releases_are_pinned_and_known_bad_ones_refused() -> None:
    assert "its kernel 6.12.110 may panic" in refused({"pools.gpu.ami": {"release": "1.35.3-20261003"}})
    assert "pools.gpu.ami.release: found nothing" in refused({"cluster.protect": True})


def test_29_types_that_need_a_newer_driver_are_refused() -> None:
    assert "needs an NVIDIA driver from 595" in refused({"pools.gpu": {**G6E, "instanceType": "g7.12xlarge"}})


def test_30_the_end_of_support_is_seen_coming() -> None:
    assert "expected one of 1.34, 1.35" in refused({"cluster.kubernetesVersion": "1.33"})
    old = {"cluster.kubernetesVersion": "1.34"}
    assert "standard support of 1.34 ends in 9 days, on 2026-12-02" in warnings(old)
    assert inputs(declared(), CLUSTER, "cluster")["upgradePolicy"] == {"supportType": "STANDARD"}
    late = planned.of(edited({**old, "cluster.support": "extended"}), now=planned.NOW + timedelta(days=30))
    assert late.aws is not None
    assert dict(late.aws.cost.lines)["control plane"] == 0.60


def test_31_a_private_endpoint_is_said_and_an_open_one_refused() -> None:
    assert "Pulumi must run there" in warnings({"cluster.access.publicCidrs": None})
    assert "not everyone" in refused({"cluster.access.publicCidrs": ["0.0.0.0/0"]})
    network = inputs(declared({"cluster.access.publicCidrs": None}), CLUSTER, "cluster")["vpcConfig"]
    assert (network["endpointPrivateAccess"], network["endpointPublicAccess"]) == (True, False)


def test_32_nobody_is_locked_out() -> None:
    assert "cluster.access.admins" in refused({"cluster.access.admins": []})
    assert "the role or user itself" in refused(
        {"cluster.access.admins": ["arn:aws:sts::123456789012:assumed-role/admin/me"]}
    )
    made = declared()
    access = inputs(made, CLUSTER, "cluster")["accessConfig"]
    assert access == {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False}
    association = inputs(made, "aws:eks/accessPolicyAssociation:AccessPolicyAssociation", "admin-role-admin")
    assert association["policyArn"].endswith("AmazonEKSClusterAdminPolicy")


def test_33_the_network_goes_last_and_production_is_protected() -> None:
    protect = {"cluster.protect": True}
    protect |= {f"pools.{pool}.ami": {"release": "1.35.4-20261023"} for pool in ("gpu", "system")}
    made = {f"{one.kind.rpartition(':')[2]} {one.name}": one.request for one in declared(protect)}
    for name in ("Cluster cluster", "Vpc network", "LustreFileSystem storage-checkpoints"):
        assert made[name].protect, name
    urns = {request.name: urn for urn, request in ((one.urn, one.request) for one in declared()) if "NodeGroup" in urn}
    assert set(urns.values()) <= set(made["kubernetes kubernetes"].dependencies)


def test_34_add_ons_that_need_nodes_come_after_them_and_two_nodes_are_free() -> None:
    made = declared()
    groups = {one.urn for one in made if one.kind == GROUP}
    addons = {one.name: set(one.request.dependencies) for one in made if one.kind == ADDON}
    assert groups <= addons["coredns"]
    assert groups <= addons["aws-ebs-csi-driver"]
    early = {one.urn for one in made if one.kind == ADDON and one.name in ("vpc-cni", "kube-proxy")}
    for one in made:
        if one.kind == GROUP:
            assert early <= set(one.request.dependencies)
    tolerant = json.loads(inputs(made, ADDON, "aws-fsx-csi-driver")["configurationValues"])
    assert tolerant["node"]["tolerateAllTaints"]
    assert "expected at least 2 without taints" in refused({"pools.system.nodes": 1})


def test_35_huge_pages_are_refused() -> None:
    asked = {"jobs.train.resources": {"limits": {"hugepages-2Mi": "5120Mi"}}}
    assert "nodes have no huge pages" in refused(asked)


def test_36_pods_get_the_fabric_from_the_plugin_and_lock_memory(tmp_path: Any) -> None:
    pod = runtime_of()
    assert not [volume for volume in pod["volumes"] if "infiniband" in json.dumps(volume)]
    assert next(v for v in pod["volumes"] if v["name"] == "shm")["emptyDir"] == {
        "medium": "Memory",
        "sizeLimit": "64Gi",
    }
    resources = pod["containers"][0]["resources"]
    assert resources["limits"]["vpc.amazonaws.com/efa"] == resources["requests"]["vpc.amazonaws.com/efa"] == "32"
    user_data = base64.b64decode(template()["userData"]).decode()
    assert '"RLIMIT_MEMLOCK"' in user_data
    assert '"strategy": "RAID0"' in user_data
    for path in planned.CHECKOUT.rglob("*.*"):
        target = tmp_path / path.relative_to(planned.CHECKOUT)
        target.parent.mkdir(parents=True, exist_ok=True)
        volume = "{name: fabric, hostPath: {path: /dev/infiniband/uverbs0}}"
        target.write_text(path.read_text().replace("volumes: [", f"volumes: [{volume}, "))
    with pytest.raises(SettingsError, match="the EFA plugin gives pods the devices they ask for"):
        planned.of(dict(RIGHT), checkout=tmp_path)


def test_37_an_image_without_the_efa_plugin_of_nccl_fails_at_once() -> None:
    assert environment()["NCCL_NET"] == "AWS Libfabric"
    assert "NCCL bar >= 300 GB/s at 1 GiB" in lines()
    assert "NCCL_NET" not in environment({"pools.gpu.efa": False})


def test_38_nccl_finds_the_one_interface_of_a_pod() -> None:
    assert environment()["NCCL_SOCKET_IFNAME"] == "eth0"
    wrong = {"jobs.train.env": {"NCCL_SOCKET_IFNAME": "^docker,lo,veth,eth"}}
    assert "a list that leaves eth0, the only interface of a pod, in" in refused(wrong)
    planned_aws({"jobs.train.env": {"NCCL_SOCKET_IFNAME": "^lo"}})


def test_39_gpu_types_boot_images_with_the_driver_and_fabric_manager() -> None:
    assert "one of al2023-nvidia, bottlerocket-nvidia" in refused({"pools.gpu.ami": {"type": "al2023"}})
    switched = [kind for kind in catalog.load().types.values() if kind.nvswitch]
    assert {"p4d.24xlarge", "p5.48xlarge", "p6-b300.48xlarge"} <= {kind.name for kind in switched}


def test_40_a_file_system_is_in_the_zone_of_its_pools_and_not_over_efa() -> None:
    assert "expected one in the zone of pool gpu" in refused({"storage.checkpoints.zone": "usw2-az1"})
    assert "storage.checkpoints.efa: found an unknown key" in refused({"storage.checkpoints.efa": True})
    made = inputs(declared(), "aws:fsx/lustreFileSystem:LustreFileSystem", "storage-checkpoints")
    assert made["deploymentType"] == "PERSISTENT_2"
    assert "efaEnabled" not in made
    assert "storage checkpoints $0.35" in lines()


def test_41_gangs_on_spot_keep_checkpoints() -> None:
    spot = {"pools.gpu": {**G6E, "capacity": {"mode": "spot"}}}
    assert "on spot, one node that is taken back restarts the whole gang" in refused({**spot, "jobs.train.storage": {}})
    assert "spot: one node taken back restarts its gang" in lines(spot)
    assert "cluster.protect is on" in refused({**spot, "cluster.protect": True})


def test_42_the_bill_is_seen_bounded_and_alarmed() -> None:
    assert "$110.08/h" in lines()
    assert "/h, $" in lines()
    assert "/month at on-demand prices of" in lines()
    assert "an hour in all; expected at most $100.00" in refused({"budget.maxHourlyUsd": 100})
    alarm = {"budget": {"monthlyUsd": 5000, "alarmEmails": ["a@example.com"]}}
    assert inputs(declared(alarm), "aws:budgets/budget:Budget", "budget")["limitAmount"] == "5000"
    idle: GroupPlan = group({"pools.gpu.nodes": 0})
    assert idle.hourly == 0


def test_43_every_image_can_come_from_a_mirror() -> None:
    registry = "123456789012.dkr.ecr.us-west-2.amazonaws.com/mirror"
    mirror = {"platform.mirror": {"registry": registry}}
    for release in planned_aws(mirror).releases:
        assert "crds" in release.name or registry in json.dumps(release.values), release.name
    assert runtime_of(mirror)["containers"][0]["image"] == f"{registry}/docker.io/team/deepspeed:1"
    cached = declared({"platform.registry": {"pullThrough": True, "repositories": ["deepspeed"]}})
    assert inputs(cached, "aws:ecr/repository:Repository", "images-deepspeed")["imageTagMutability"] == "IMMUTABLE"
