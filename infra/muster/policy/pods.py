"""Rules of pods: what runs in them, what they may do and what they hold, wherever in an object they stand."""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from muster import quantities
from muster.policy.network import LAUNCH_TEMPLATE
from muster.policy.parts import UNKNOWN, Breach, Context, Resource, hidden, items, mapping, maps, of_kind

RELEASE = "kubernetes:helm.sh/v3:Release"
CHARTS = (RELEASE, "kubernetes:helm.sh/v4:Chart")
SECRET = "kubernetes:core/v1:Secret"  # noqa: S105 - a type token
VOLUME = "kubernetes:core/v1:PersistentVolume"
TRAINJOB = "kubernetes:trainer.kubeflow.org/v1alpha1:TrainJob"
OPERATORS = ("gpu-operator", "kube-system")
"""Namespaces whose pods work on the node itself: drivers' companions, network and storage plugins."""
CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
"""What a pod may add: https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline"""
TOKENS: Mapping[str, re.Pattern[str]] = {
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60})"),
    "a GitLab token": re.compile(r"\bglpat-[A-Za-z0-9_-]{20}"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30}"),
    "an NVIDIA API key": re.compile(r"\bnvapi-[A-Za-z0-9_-]{40}"),
    "a Slack token": re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10}"),
    "an API key of a model's host": re.compile(r"\bsk-(?:[a-z]+-)*[A-Za-z0-9_]{20}"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "a JSON web token": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."),
}
"""What tokens look like: https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns"""
HOLDS_SECRET = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSPHRASE|API_?KEY|ACCESS_KEY|PRIVATE_KEY)$", re.IGNORECASE
)
"""Names of variables whose value is a secret, such as WANDB_API_KEY and HF_TOKEN."""


def pods(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """Every pod specification in a Kubernetes object: that of a pod, of a runtime's template, of a job's patch."""
    if resource.kind.startswith("kubernetes:") and resource.kind not in CHARTS:
        yield from filter(_is_pod, _maps_below(resource.props))


def containers(resource: Resource) -> Iterator[Mapping[str, Any]]:
    """Every container in a Kubernetes object; what a TrainJob says of its trainer counts as one."""
    for pod in pods(resource):
        for key in ("initContainers", "containers"):
            yield from maps(pod.get(key))
    trainer = resource.at("spec.trainer")
    if resource.kind == TRAINJOB and isinstance(trainer, Mapping):
        yield {**trainer, "name": "trainer", "resources": trainer.get("resourcesPerNode")}


def _maps_below(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every map below a value, itself included, in the order in which they stand."""
    left = [value]
    while left:
        here = left.pop()
        if isinstance(here, Mapping):
            yield here
            left.extend(reversed(list(here.values())))
        elif isinstance(here, list | tuple):
            left.extend(reversed(here))


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value below another, itself included, with its dotted path."""
    yield path, value
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from walk(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from walk(item, f"{path}[{number}]")


def floating_images(resource: Resource) -> Iterator[str]:
    """Images that are another one tomorrow."""
    for image in images(resource):
        name, digest = _parted(image)
        if not digest and name.rpartition("/")[2].partition(":")[2] in ("", "latest"):
            yield f"the image {image} is not pinned"
    if resource.kind == RELEASE:
        for path, value in walk(resource.at("values")):
            if value == "latest" and "tag" in path.rpartition(".")[2].lower():
                yield f"{path} is latest"


def foreign_images(resources: Sequence[Resource], context: Context) -> Iterator[Breach]:
    """Images from registries that the stack doesn't allow."""
    if not context.allowed_registries:
        return
    for resource in resources:
        found = [*images(resource), *(_named(resource) if resource.kind == RELEASE else ())]
        for image in dict.fromkeys(found):
            if not any(f"{_full(image)}/".startswith(f"{allowed}/") for allowed in context.allowed_registries):
                yield resource, f"the image {image} is from a registry that is not allowed"


def images(resource: Resource) -> Iterator[str]:
    """Images of a Kubernetes object's containers."""
    named = (one.get("image") for one in containers(resource))
    yield from (image for image in named if isinstance(image, str) and image and not hidden(image))


def floating_charts(resource: Resource) -> Iterator[str]:
    """Charts that a server gives: another one tomorrow, or none.

    A version is no sign of one: the provider writes that of a folder's own Chart.yaml among the inputs.
    https://github.com/pulumi/pulumi-kubernetes/blob/v4.25.0/provider/pkg/provider/helm_release.go
    """
    if resource.kind not in CHARTS:
        return
    chart = resource.at("chart")
    if chart != UNKNOWN and not str(chart).startswith(("./", "../")):
        yield f"the chart {chart} is no folder of the checkout"
    if resource.at("repositoryOpts"):
        yield "repositoryOpts names a chart server"


def devices(resource: Resource) -> Iterator[str]:
    """Devices whose request is not their limit; Kubernetes takes a limit alone as both.

    https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#extended-resources
    """
    for one in containers(resource):
        amounts = mapping(one.get("resources"))
        limits = mapping(amounts.get("limits"))
        for name, amount in mapping(amounts.get("requests")).items():
            limit = amounts.get("limits") if hidden(amounts.get("limits")) else limits.get(name)
            if "/" in name and not hidden(amount) and not hidden(limit) and _amount(amount) != _amount(limit):
                yield f"{one.get('name')} requests {amount} {name} and its limit is {limit or 'not set'}"


def privileges(resource: Resource) -> Iterator[str]:
    """Pods outside the operators' namespaces that may do what only the node's owner may."""
    if resource.at("metadata.namespace") in OPERATORS:
        return
    for one in containers(resource):
        context = mapping(one.get("securityContext"))
        if context.get("privileged") is True:
            yield f"container {one.get('name')} is privileged"
        asked = items(mapping(context.get("capabilities")).get("add"))
        added = {str(one) for one in asked if not hidden(one)} - CAPABILITIES
        if added:
            yield f"container {one.get('name')} adds {', '.join(sorted(added))}"


def host_access(resources: Sequence[Resource], context: Context) -> Iterator[Breach]:
    """Pods outside the operators' namespaces that see the node; volumes on a node's folder in production."""
    for resource in resources:
        if resource.at("metadata.namespace") not in OPERATORS:
            yield from ((resource, found) for pod in pods(resource) for found in _host(pod))
    if context.production:
        yield from ((one, "the volume is a folder of a node") for one in _on_nodes(resources))


def plain_secrets(resource: Resource) -> Iterator[str]:
    """Tokens and keys in the clear, in any input of any resource but a Secret. Says what they are, never their text."""
    if resource.kind == SECRET:
        return
    props = resource.props
    if resource.kind == LAUNCH_TEMPLATE:
        props = {**props, "userData": _decoded(resource.at("userData"))}
    for path, value in walk(props):
        if isinstance(value, str):
            yield from (f"{path} holds {what}" for what, pattern in TOKENS.items() if pattern.search(value))
    for one in containers(resource):
        for variable in maps(one.get("env")):
            name, value = str(variable.get("name")), variable.get("value")
            if HOLDS_SECRET.search(name) and value and not hidden(value):
                yield f"the variable {name} of {one.get('name')} is in the clear"


def _is_pod(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("containers"), list | tuple)


def _parted(image: str) -> tuple[str, str]:
    """Name with tag, and digest."""
    name, _, digest = image.partition("@")
    return name, digest


def _full(image: str) -> str:
    """Name of an image without tag and digest, its registry always said.

    https://github.com/distribution/reference/blob/v0.6.0/normalize.go
    """
    name, _ = _parted(image)
    folder, slash, last = name.rpartition("/")
    name = f"{folder}{slash}{last.partition(':')[0]}"
    host, slash, _ = name.partition("/")
    if slash and ("." in host or ":" in host or host == "localhost"):
        return name
    return f"docker.io/{name}" if slash else f"docker.io/library/{name}"


def _named(release: Resource) -> Iterator[str]:
    """Registries and repositories that a release's values name with a host."""
    for path, value in walk(release.at("values")):
        key = path.rpartition(".")[2]
        named = key in ("repository", "registry", "image_registry") and isinstance(value, str)
        if named and "." in value.partition("/")[0]:
            yield value if "/" in value else f"{value}/"


def _amount(value: object) -> object:
    """What a quantity is worth; text that is none is its own worth."""
    text = str(value)
    return quantities.amount(text) if re.match(quantities.PATTERN, text) else text


def _host(pod: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{key} is on" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key) is True)
    for volume in maps(pod.get("volumes")):
        if mapping(volume.get("hostPath")):
            yield f"volume {volume.get('name')} is a folder of the node"


def _on_nodes(resources: Sequence[Resource]) -> Iterator[Resource]:
    return (one for one in of_kind(resources, VOLUME) if one.at("spec.hostPath") not in (None, UNKNOWN))


def _decoded(text: object) -> str:
    try:
        return base64.b64decode(str(text), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
