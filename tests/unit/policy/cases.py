"""For every rule: stacks that break it, with what is said of which resource, and stacks that keep it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from muster.policy import Context, Resource
from muster.policy.parts import UNKNOWN

Props = Mapping[str, Any]
PRODUCTION = Context("prod", production=True)
ANY = Context("dev")


def made(kind: str, name: str, props: Props, *, protected: bool = False) -> Resource:
    return Resource(f"urn:pulumi:dev::muster::{kind}::{name}", kind, name, props, protected)


def cluster(*, protected: bool = False, **props: Any) -> Resource:
    return made("aws:eks/cluster:Cluster", "cluster", props, protected=protected)


def template(name: str = "pool-gpu", **props: Any) -> Resource:
    return made("aws:ec2/launchTemplate:LaunchTemplate", name, props)


def group(name: str = "pool-gpu", **props: Any) -> Resource:
    return made("aws:eks/nodeGroup:NodeGroup", name, {"labels": {"muster.dev/pool": "gpu"}, **props})


def ingress(**props: Any) -> Resource:
    return made("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "fabric", props)


def egress(**props: Any) -> Resource:
    return made("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", "fabric", props)


def efa(*groups: str) -> Props:
    return {"networkInterfaces": [{"interfaceType": "efa-only", "securityGroups": list(groups)}]}


def logs(days: object) -> Resource:
    return made("aws:cloudwatch/logGroup:LogGroup", "control-plane", {"retentionInDays": days})


def repository(tags: str) -> Resource:
    return made("aws:ecr/repository:Repository", "images", {"imageTagMutability": tags})


def policy(*statements: Props) -> Resource:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    return made("aws:iam/rolePolicy:RolePolicy", "read", {"policy": document})


def allow(action: object, resource: object) -> Props:
    return {"Effect": "Allow", "Action": action, "Resource": resource}


def attachment(name: str) -> Resource:
    kind = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
    return made(kind, f"node-{name}", {"policyArn": f"arn:aws:iam::aws:policy/{name}"})


def role(**statement: Any) -> Resource:
    document = json.dumps({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", **statement}})
    return made("aws:iam/role:Role", "node", {"assumeRolePolicy": document})


def service(annotations: Props | None = None, **spec: Any) -> Resource:
    return made("kubernetes:core/v1:Service", "serve", {"metadata": {"annotations": annotations}, "spec": spec})


def pod(namespace: str = "training", **spec: Any) -> Resource:
    props = {"metadata": {"namespace": namespace}, "spec": {"containers": [], **spec}}
    return made("kubernetes:core/v1:Pod", "pod", props)


def container(namespace: str = "training", **more: Any) -> Resource:
    return pod(namespace, containers=[{"name": "node", **more}])


def runtime(pod_group: object, pool: str = "gpu") -> Resource:
    spec = {"nodeSelector": {"muster.dev/pool": pool}, "containers": [{"name": "node"}]}
    template = {"spec": {"replicatedJobs": [{"template": {"spec": {"template": {"spec": spec}}}}]}}
    props = {"metadata": {"name": "ds"}, "spec": {"podGroupPolicy": pod_group, "template": template}}
    return made("kubernetes:trainer.kubeflow.org/v1alpha1:ClusterTrainingRuntime", "runtime-ds", props)


def job(nodes: object = 2, mount: Props | None = None, **trainer: Any) -> Resource:
    volumes = [{"name": "store", "persistentVolumeClaim": {"claimName": "checkpoints"}}]
    patch = {"spec": {"volumes": volumes, "containers": [{"name": "node", "volumeMounts": [mount] if mount else []}]}}
    props = {
        "metadata": {"name": "train", "namespace": "training"},
        "spec": {
            "runtimeRef": {"kind": "ClusterTrainingRuntime", "name": "ds"},
            "trainer": {"numNodes": nodes, **trainer},
            "runtimePatches": [{"trainingRuntimeSpec": {"template": patch}}],
        },
    }
    return made("kubernetes:trainer.kubeflow.org/v1alpha1:TrainJob", "job-train", props)


def release(**props: Any) -> Resource:
    return made("kubernetes:helm.sh/v3:Release", "volcano", {"chart": "../charts/volcano", "values": {}, **props})


def config_map(text: str) -> Resource:
    return made("kubernetes:core/v1:ConfigMap", "files", {"data": {"train.py": text}})


def volume(**spec: Any) -> Resource:
    return made("kubernetes:core/v1:PersistentVolume", "volume", {"spec": spec})


def provider(tags: object) -> Resource:
    return made("pulumi:providers:aws", "aws", {"defaultTags": tags})


def budget(*notifications: Props) -> Resource:
    return made("aws:budgets/budget:Budget", "budget", {"notifications": list(notifications)})


@dataclass(frozen=True)
class Broken:
    """A stack that breaks a rule: what is found, and in which resource."""

    found: str
    resources: tuple[Resource, ...] = ()
    context: Context = ANY
    where: str | None = None
    """Logical name of the resource; without it, that of the last one."""

    @property
    def resource(self) -> str:
        return self.where or self.resources[-1].name


@dataclass(frozen=True)
class Kept:
    """A stack that keeps a rule."""

    resources: tuple[Resource, ...]
    context: Context = ANY


FABRIC = {"securityGroupId": "sg-1", "referencedSecurityGroupId": "sg-1", "ipProtocol": "-1"}
UNMADE = {**FABRIC, "securityGroupId": UNKNOWN, "referencedSecurityGroupId": UNKNOWN}
SPOT = group(capacityType="SPOT")
TOKEN = f"hf_{'a' * 34}"
TAGGED = [
    {"resourceType": "instance", "tags": {"team": "a"}},
    {"resourceType": "volume", "tags": {"team": "a"}},
]
TAGS = Context("dev", required_tags=("team",))
OWN = Context("dev", allowed_registries=("registry.example.com/team", "docker.io/muster"))
LOADED = base64.b64encode(f"export TOKEN={TOKEN}".encode()).decode()

CASES: Mapping[str, tuple[tuple[Broken, ...], tuple[Kept, ...]]] = {
    "api-server-not-public": (
        (
            Broken(
                "the API server answers 0.0.0.0/0",
                (cluster(vpcConfig={"endpointPublicAccess": True, "publicAccessCidrs": ["10.0.0.0/8", "0.0.0.0/0"]}),),
            ),
            Broken(
                "the API server answers 128.0.0.0/1",
                (cluster(vpcConfig={"endpointPublicAccess": True, "publicAccessCidrs": ["128.0.0.0/1"]}),),
            ),
            Broken(
                "the API server answers the world, which is what AWS does without publicAccessCidrs",
                (cluster(vpcConfig={"subnetIds": ["subnet-1"]}),),
            ),
        ),
        (
            Kept((cluster(vpcConfig={"endpointPublicAccess": False, "publicAccessCidrs": None}),)),
            Kept((cluster(vpcConfig={"endpointPublicAccess": True, "publicAccessCidrs": ["198.51.100.0/24"]}),)),
            Kept((cluster(vpcConfig={"endpointPublicAccess": True, "publicAccessCidrs": UNKNOWN}),)),
            Kept((cluster(vpcConfig=UNKNOWN),)),
        ),
    ),
    "no-open-ingress": (
        (
            Broken("traffic from 0.0.0.0/0 is let in", (ingress(cidrIpv4="0.0.0.0/0"),)),
            Broken("traffic from ::/0 is let in", (ingress(cidrIpv6="::/0"),)),
            Broken(
                "traffic from 0.0.0.0/0 is let in",
                (made("aws:ec2/securityGroup:SecurityGroup", "a", {"ingress": [{"cidrBlocks": ["0.0.0.0/0"]}]}),),
            ),
            Broken(
                "traffic from ::/0 is let in",
                (
                    made(
                        "aws:ec2/securityGroupRule:SecurityGroupRule",
                        "a",
                        {"type": "ingress", "ipv6CidrBlocks": ["::/0"]},
                    ),
                ),
            ),
        ),
        (
            Kept((ingress(cidrIpv4="10.0.0.0/16"), ingress(referencedSecurityGroupId="sg-1"))),
            Kept((egress(cidrIpv4="0.0.0.0/0"),)),
            Kept((ingress(cidrIpv4=UNKNOWN),)),
        ),
    ),
    "no-public-addresses": (
        (
            Broken(
                "machines in it get a public address",
                (made("aws:ec2/subnet:Subnet", "a", {"mapPublicIpOnLaunch": True}),),
            ),
            Broken(
                "machines made from it get a public address",
                (template(networkInterfaces=[{"associatePublicIpAddress": "true"}]),),
            ),
        ),
        (
            Kept((made("aws:ec2/subnet:Subnet", "a", {"mapPublicIpOnLaunch": False}),)),
            Kept((template(networkInterfaces=[{"associatePublicIpAddress": "false"}]),)),
        ),
    ),
    "no-public-services": (
        (
            Broken("a load balancer that anybody can reach", (service(type="LoadBalancer"),)),
            Broken(
                "a load balancer that anybody can reach",
                (service(type="LoadBalancer", loadBalancerSourceRanges=["0.0.0.0/0"]),),
            ),
        ),
        (
            Kept((service(type="ClusterIP"), service())),
            Kept((service(type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8"]),)),
            Kept((service({"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}, type="LoadBalancer"),)),
        ),
    ),
    "fabric-security-group": (
        (
            Broken(
                "an EFA interface has no security group that lets all traffic from and to itself pass",
                (ingress(**FABRIC), template(**efa("sg-1"))),
            ),
            Broken(
                "an EFA interface has no security group that lets all traffic from and to itself pass",
                (ingress(**FABRIC), egress(**FABRIC), template(**efa("sg-2"))),
            ),
            Broken(
                "an EFA interface has no security group that lets all traffic from and to itself pass",
                (ingress(**FABRIC), egress(**{**FABRIC, "ipProtocol": "tcp"}), template(**efa("sg-1"))),
            ),
            Broken(
                "an EFA interface has no security group that lets all traffic from and to itself pass",
                (template(**efa(UNKNOWN)),),
            ),
        ),
        (
            Kept((ingress(**FABRIC), egress(**FABRIC), template(**efa("sg-2", "sg-1")))),
            Kept((ingress(**UNMADE), egress(**UNMADE), template(**efa("sg-2", UNKNOWN)))),
            Kept((template(networkInterfaces=[{"interfaceType": "interface", "securityGroups": ["sg-2"]}]),)),
        ),
    ),
    "efa-single-zone": (
        (
            Broken(
                "machines with EFA in 2 subnets", (template(**efa("sg-1")), group(subnetIds=["subnet-1", "subnet-2"]))
            ),
        ),
        (
            Kept((template(**efa("sg-1")), group(subnetIds=["subnet-1"]))),
            Kept((template(**efa("sg-1")), group("pool-system", subnetIds=["subnet-1", "subnet-2"]))),
            Kept((template(**efa("sg-1")), group(subnetIds=UNKNOWN))),
        ),
    ),
    "disks-encrypted": (
        (
            Broken(
                "the disk /dev/xvda is not encrypted",
                (template(blockDeviceMappings=[{"deviceName": "/dev/xvda", "ebs": {"encrypted": "false"}}]),),
            ),
            Broken(
                "volumes of the class are not encrypted",
                (made("kubernetes:storage.k8s.io/v1:StorageClass", "gp3", {"provisioner": "ebs.csi.aws.com"}),),
            ),
        ),
        (
            Kept((template(blockDeviceMappings=[{"deviceName": "/dev/xvda", "ebs": {"encrypted": "true"}}]),)),
            Kept(
                (
                    made(
                        "kubernetes:storage.k8s.io/v1:StorageClass",
                        "gp3",
                        {"provisioner": "ebs.csi.aws.com", "parameters": {"encrypted": "true"}},
                    ),
                )
            ),
            Kept((made("kubernetes:storage.k8s.io/v1:StorageClass", "nfs", {"provisioner": "nfs"}),)),
        ),
    ),
    "imdsv2": (
        (
            Broken(
                "instance metadata answers without a token",
                (template(metadataOptions={"httpTokens": "optional", "httpPutResponseHopLimit": 1}),),
            ),
            Broken("instance metadata answers without a token", (template(),)),
            Broken(
                "instance metadata answers over 2 hops",
                (template(metadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 2}),),
            ),
        ),
        (
            Kept((template(metadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 1}),)),
            Kept((template(metadataOptions={"httpEndpoint": "disabled"}),)),
            Kept((template(metadataOptions=UNKNOWN),)),
        ),
    ),
    "no-spot-in-production": (
        (Broken("spot machines in production", (SPOT,), PRODUCTION),),
        (Kept((SPOT,)), Kept((group(capacityType="ON_DEMAND"),), PRODUCTION)),
    ),
    "spot-needs-checkpoints": (
        (
            Broken(
                "it runs on spot machines (pool gpu) and writes to no storage",
                (SPOT, runtime({"volcano": {}}), job()),
            ),
            Broken(
                "it runs on spot machines (pool gpu) and writes to no storage",
                (SPOT, runtime({}), job(1, {"name": "store", "mountPath": "/data", "readOnly": True})),
            ),
        ),
        (
            Kept((SPOT, runtime({}), job(2, {"name": "store", "mountPath": "/checkpoints"}))),
            Kept((SPOT, runtime({}, "cpu"), job())),
            Kept((group(capacityType="ON_DEMAND"), runtime({}), job())),
        ),
    ),
    "secrets-customer-key": (
        (Broken("Secrets are encrypted with a key that AWS owns", (cluster(),)),),
        (Kept((cluster(encryptionConfig={"resources": ["secrets"]}), cluster(encryptionConfig=UNKNOWN))),),
    ),
    "audit-log": (
        (
            Broken("the control plane writes no audit log", (cluster(enabledClusterLogTypes=["api"]),)),
            Broken("the control plane writes no audit log", (cluster(),)),
        ),
        (Kept((cluster(enabledClusterLogTypes=["api", "audit"]), cluster(enabledClusterLogTypes=UNKNOWN))),),
    ),
    "log-retention": (
        (
            Broken("logs are kept for ever", (logs(None),)),
            Broken("logs are kept for ever", (logs(0),)),
            Broken("logs are kept for 30 days, in production 365 are expected", (logs(30),), PRODUCTION),
        ),
        (Kept((logs(30), logs(UNKNOWN))), Kept((logs(365),), PRODUCTION)),
    ),
    "protect-in-production": (
        (
            Broken("not protected by Pulumi", (cluster(deletionProtection=True),), PRODUCTION),
            Broken("not protected by EKS", (cluster(deletionProtection=False, protected=True),), PRODUCTION),
            Broken(
                "not protected by Pulumi",
                (made("aws:fsx/lustreFileSystem:LustreFileSystem", "checkpoints", {}),),
                PRODUCTION,
            ),
        ),
        (
            Kept((cluster(deletionProtection=True, protected=True), SPOT), PRODUCTION),
            Kept((cluster(deletionProtection=False),)),
        ),
    ),
    "registry-tags-immutable": (
        (Broken("tags can be moved to another image", (repository("MUTABLE"),)),),
        (Kept((repository("IMMUTABLE"), repository(UNKNOWN))),),
    ),
    "iam-no-wildcards": (
        (
            Broken("every action on every resource is allowed", (policy(allow("*", "*")),)),
            Broken(
                "every action on every resource is allowed",
                (policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),),
            ),
            Broken("ec2:*, s3:* on every resource is allowed", (policy(allow(["s3:*", "ec2:*"], ["*"])),)),
            Broken(
                "the policy AdministratorAccess allows every action on every resource",
                (attachment("AdministratorAccess"),),
            ),
        ),
        (
            Kept((policy(allow(["s3:GetObject"], "arn:aws:s3:::data/*"), allow(["s3:ListBucket"], "*")),)),
            Kept((policy({"Effect": "Deny", "Action": "*", "Resource": "*"}),)),
            Kept((attachment("AmazonEKSWorkerNodePolicy"),)),
            Kept((made("aws:iam/policy:Policy", "later", {"policy": UNKNOWN}),)),
        ),
    ),
    "trust-not-open": (
        (
            Broken("anybody may take the role", (role(Principal="*"),)),
            Broken("anybody may take the role", (role(Principal={"AWS": ["*"]}),)),
        ),
        (
            Kept((role(Principal={"Service": "ec2.amazonaws.com"}),)),
            Kept((role(Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}),)),
        ),
    ),
    "images-pinned": (
        (
            Broken("the image python is not pinned", (container(image="python"),)),
            Broken("the image host:5000/team/ds is not pinned", (container(image="host:5000/team/ds"),)),
            Broken("the image nvcr.io/a/b:latest is not pinned", (job(image="nvcr.io/a/b:latest"),)),
            Broken("the image a:latest is not pinned", (pod(initContainers=[{"name": "i", "image": "a:latest"}]),)),
            Broken("image.tag is latest", (release(values={"image": {"tag": "latest"}}),)),
        ),
        (
            Kept((container(image="docker.io/muster/deepspeed:cpu"), container(image="host:5000/ds:1"), container())),
            Kept((container(image=f"python@sha256:{'0' * 64}"), container(image=UNKNOWN))),
            Kept((release(values={"image": {"tag": "v1.2.3"}}),)),
        ),
    ),
    "images-from-allowed-registries": (
        (
            Broken(
                "the image python:3.11 is from a registry that is not allowed", (container(image="python:3.11"),), OWN
            ),
            Broken(
                "the image registry.example.com/teams/a:1 is from a registry that is not allowed",
                (container(image="registry.example.com/teams/a:1"),),
                OWN,
            ),
            Broken(
                "the image quay.io/jobset is from a registry that is not allowed",
                (release(values={"image": {"repository": "quay.io/jobset"}}),),
                OWN,
            ),
        ),
        (
            Kept((container(image="registry.example.com/team/a:1"), container(image="muster/deepspeed:cpu")), OWN),
            Kept((release(values={"image": {"repository": "registry.example.com/team", "tag": "quay.io"}}),), OWN),
            Kept((container(image="python:3.11"),)),
        ),
    ),
    "charts-pinned": (
        (
            Broken("the chart volcano is no folder of the checkout", (release(chart="volcano"),)),
            Broken("repositoryOpts names a chart server", (release(repositoryOpts={"repo": "https://x"}),)),
        ),
        (Kept((release(), release(version="1.14.1"), release(chart=UNKNOWN))),),
    ),
    "gang-for-many-nodes": (
        (Broken("2 nodes on runtime-ds, which has no pod group", (runtime(None), job(2))),),
        (
            Kept((runtime({"volcano": {}}), job(2))),
            Kept((runtime(None), job(1), job(UNKNOWN))),
            Kept((job(2),)),
        ),
    ),
    "gpu-requests-equal-limits": (
        (
            Broken(
                "node requests 8 nvidia.com/gpu and its limit is 4",
                (container(resources={"requests": {"nvidia.com/gpu": "8"}, "limits": {"nvidia.com/gpu": "4"}}),),
            ),
            Broken(
                "trainer requests 8 nvidia.com/gpu and its limit is not set",
                (job(resourcesPerNode={"requests": {"nvidia.com/gpu": 8}}),),
            ),
        ),
        (
            Kept((container(resources={"requests": {"nvidia.com/gpu": "8"}, "limits": {"nvidia.com/gpu": 8}}),)),
            Kept((container(resources={"limits": {"nvidia.com/gpu": "8"}, "requests": {"cpu": "1"}}),)),
        ),
    ),
    "pods-unprivileged": (
        (
            Broken("container node is privileged", (container(securityContext={"privileged": True}),)),
            Broken(
                "container node adds SYS_ADMIN",
                (container(securityContext={"capabilities": {"add": ["SYS_ADMIN", "KILL"]}}),),
            ),
        ),
        (
            Kept((container(securityContext={"privileged": False, "capabilities": {"drop": ["ALL"]}}),)),
            Kept((container("gpu-operator", securityContext={"privileged": True}),)),
        ),
    ),
    "pods-off-the-host": (
        (
            Broken("hostNetwork is on", (pod(hostNetwork=True),)),
            Broken(
                "volume root is a folder of the node", (pod(volumes=[{"name": "root", "hostPath": {"path": "/"}}]),)
            ),
            Broken("the volume is a folder of a node", (volume(hostPath={"path": "/data"}),), PRODUCTION),
        ),
        (
            Kept((pod(volumes=[{"name": "shm", "emptyDir": {}}], hostNetwork=False),)),
            Kept((pod("kube-system", hostNetwork=True),)),
            Kept((volume(hostPath={"path": "/data"}),)),
            Kept((volume(csi={"driver": "fsx.csi.aws.com"}),), PRODUCTION),
        ),
    ),
    "no-secrets-in-the-clear": (
        (
            Broken("data.train.py holds a Hugging Face token", (config_map(f'login("{TOKEN}")'),)),
            Broken("data.train.py holds an AWS access key", (config_map("AKIAIOSFODNN7EXAMPLE"),)),
            Broken("data.train.py holds a private key", (config_map("-----BEGIN RSA PRIVATE KEY-----"),)),
            Broken("userData holds a Hugging Face token", (template(userData=LOADED),)),
            Broken(
                "the variable WANDB_API_KEY of trainer is in the clear",
                (job(env=[{"name": "WANDB_API_KEY", "value": "0123"}]),),
            ),
        ),
        (
            Kept((config_map("import transformers  # reads HF_TOKEN"),)),
            Kept((made("kubernetes:core/v1:Secret", "tokens", {"stringData": {"hf": TOKEN}}),)),
            Kept((job(env=[{"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf"}}}]),)),
            Kept((job(env=[{"name": "TOKENIZERS_PARALLELISM", "value": "false"}]),)),
        ),
    ),
    "required-tags": (
        (
            Broken("no tag team", (provider({"tags": {"environment": "dev"}}),), TAGS),
            Broken("no tag team for volumes", (template(tagSpecifications=TAGGED[:1]),), TAGS),
        ),
        (
            Kept((provider({"tags": {"team": "a"}}), template(tagSpecifications=TAGGED)), TAGS),
            Kept((provider('{"tags": {"team": "a"}}'),), TAGS),
            Kept((provider(None), template())),
        ),
    ),
    "cost-ceiling": (
        (
            Broken("$12.50 an hour and no ceiling", (), Context("dev", hourly=12.5), "dev"),
            Broken("$12.50 an hour, the ceiling is $10.00", (), Context("dev", hourly=12.5, ceiling=10), "dev"),
        ),
        (Kept((), Context("dev", hourly=12.5, ceiling=12.5)), Kept((), Context("local"))),
    ),
    "cost-alarm": (
        (
            Broken("no alarm on the monthly bill", (), Context("dev", hourly=12.5), "dev"),
            Broken("no alarm on the monthly bill", (budget(),), Context("dev", hourly=12.5), "dev"),
        ),
        (
            Kept((budget({"threshold": 80}),), Context("dev", hourly=12.5)),
            Kept((), Context("local")),
        ),
    ),
}
