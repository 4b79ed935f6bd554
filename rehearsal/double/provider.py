"""The double as a Pulumi provider: the engine starts it in place of pulumi-resource-aws.

It follows the wire protocol of https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto.
"""

import json
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, empty_pb2, json_format, struct_pb2
from muster.preview import kind_of
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from rehearsal.double import refusals, rules, shapes
from rehearsal.double.faults import Fault, Faults
from rehearsal.double.nodes import Nodes, zone_name
from rehearsal.double.refusals import Case
from rehearsal.double.rules import Rule
from rehearsal.double.world import Thing, World, at, values

FOLDER = "MUSTER_REHEARSAL"
"""Environment variable that names the folder of the world."""
VERSION = "7.51.1"
"""The provider that it stands in for: pulumi-aws in pyproject.toml."""
GROUP = refusals.GROUP
POLL_S = 0.2
Keys = tuple[str, ...]
"""Keys down to a value."""
DISRUPTIVE = ("version", "releaseVersion", "launchTemplate")


class Refused(Exception):  # noqa: N818 - an answer of AWS, not a programming error
    """AWS says no, with its error code. A `half` made resource stays there in a failed state."""

    def __init__(self, code: str, message: str, half: Thing | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.half = half


class Aws(provider_pb2_grpc.ResourceProviderServicer):
    """One AWS account in one region."""

    def __init__(self, folder: Path) -> None:
        self._world = World(folder)
        self._faults = Faults(folder)
        self._rules = rules.load()
        self._nodes = Nodes(self._world)
        self._tags: dict[str, str] = {}

    # Names and signatures of the methods below are the protocol's.

    def CheckConfig(self, request: Any, context: Any) -> Any:
        """Take the configuration as it is."""
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        """A region can't be changed in place, everything else can."""
        old, new = _plain(request.old_inputs), _plain(request.news)
        replaces = ["region"] if old.get("region") != new.get("region") else []
        changes = provider_pb2.DiffResponse.DIFF_SOME if old != new else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=changes, replaces=replaces)

    def Configure(self, request: Any, context: Any) -> Any:
        """Refuse the credentials of another account, as the provider does."""
        given = _plain(request.args)
        allowed = json.loads(given.get("allowedAccountIds") or "[]")
        if allowed and self._world.ground.account not in allowed:
            context.abort(grpc.StatusCode.UNKNOWN, f"AWS account ID not allowed: {self._world.ground.account}")
        if given.get("region") != self._world.ground.region:
            context.abort(grpc.StatusCode.UNKNOWN, f"the rehearsal is in region {self._world.ground.region}")
        self._tags = dict(json.loads(given.get("defaultTags") or "{}").get("tags") or {})
        self._nodes.watch()
        return provider_pb2.ConfigureResponse(supportsPreview=True, acceptResources=False, acceptSecrets=False)

    def Check(self, request: Any, context: Any) -> Any:
        """Judge inputs by the SDK's own types."""
        kind = kind_of(request.urn)
        news = _plain(request.news)
        found = [] if kind in self._rules.resources else ["no such kind in rules.yaml"]
        found += list(shapes.mistakes(shapes.arguments_of(kind), news)) if not found else []
        failures = [provider_pb2.CheckFailure(property="", reason=text) for text in found]
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:
        """What a change does: nothing, an update, or a replacement."""
        rule = self._rule(request.urn)
        old, new = _plain(request.old_inputs), _plain(request.news)
        changed = sorted(_changed(old, new))
        replaces = [path for path in changed if any(_below(".".join(path), stem) for stem in rule.replace)]
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=sorted({path[0] for path in changed}),
            replaces=sorted({path[0] for path in replaces}),
            detailedDiff={
                _property_path(path): provider_pb2.PropertyDiff(
                    kind=_kind_of_change(old, new, path, replaces=path in replaces), inputDiff=True
                )
                for path in changed
            },
            hasDetailedDiff=True,
        )

    def Create(self, request: Any, context: Any) -> Any:
        """Make a resource, or say why AWS would not."""
        inputs = _plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=_struct(inputs))
        kind = kind_of(request.urn)
        try:
            thing = self._create(kind, inputs)
        except Refused as refused:
            self._fail(context, f"creating {kind}: {refused}", refused.half, inputs)
        return provider_pb2.CreateResponse(id=thing.id, properties=_struct({**thing.inputs, **thing.outputs}))

    def Read(self, request: Any, context: Any) -> Any:
        """A resource as it is; none where it is gone."""
        kind = kind_of(request.urn)
        self._meet(kind, "read", context)
        thing = self._world.find(kind, request.id) or self._imported(kind, request.id)
        if thing is None:
            return provider_pb2.ReadResponse()
        properties = _struct({**thing.inputs, **thing.outputs})
        return provider_pb2.ReadResponse(id=thing.id, properties=properties, inputs=_struct(thing.inputs))

    def Update(self, request: Any, context: Any) -> Any:
        """Change a resource in place."""
        kind, news = kind_of(request.urn), _plain(request.news)
        rule = self._rule(request.urn)
        thing = self._world.find(kind, request.id)
        if request.preview:
            olds = _plain(request.olds)
            kept = {key: olds[key] for key in rule.outputs if key in olds and key not in rule.volatile}
            return provider_pb2.UpdateResponse(properties=_struct({**news, **kept, **_computed(kind, news, olds)}))
        if thing is None:
            self._fail(context, f"updating {kind}: ResourceNotFoundException: {request.id}", None, news)
        try:
            self._update(thing, news, rule)
        except Refused as refused:
            self._fail(context, f"updating {kind} ({thing.id}): {refused}", refused.half, news)
        return provider_pb2.UpdateResponse(properties=_struct({**thing.inputs, **thing.outputs}))

    def Delete(self, request: Any, context: Any) -> Any:
        """Delete a resource, or name what still uses it."""
        kind = kind_of(request.urn)
        thing = self._world.find(kind, request.id)
        if thing is None:
            return empty_pb2.Empty()
        self._meet(kind, "delete", context)
        try:
            self._delete(thing)
        except Refused as refused:
            context.abort(grpc.StatusCode.UNKNOWN, f"deleting {kind} ({thing.id}): {refused}")
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        """Answer a question about AWS itself."""
        asked, token = _plain(request.args), request.tok
        self._meet(token, "invoke", context)
        match token.rpartition(":")[2]:
            case "getInstanceTypeOfferings":
                answer = self._offerings(asked)
            case "getServiceQuota":
                code = asked["quotaCode"]
                if code not in self._world.ground.quotas:
                    context.abort(grpc.StatusCode.UNKNOWN, f"NoSuchResourceException: {code}")
                answer = {**asked, "id": code, "quotaName": code, "value": self._world.ground.quotas[code]}
            case "getAvailabilityZone":
                zone = asked["zoneId"]
                answer = {"id": zone, "zoneId": zone, "name": zone_name(self._world.ground.region, zone)}
            case _:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"the double does not answer {token}")
        return provider_pb2.InvokeResponse(**{"return": _struct(answer)})

    def Cancel(self, request: Any, context: Any) -> Any:
        """Nothing goes on in the background that could be stopped."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        """The version that it stands in for."""
        return plugin_pb2.PluginInfo(version=VERSION)

    def _create(self, kind: str, inputs: dict[str, Any]) -> Thing:
        rule = self._rules.resources[kind]
        time.sleep(rule.seconds)
        fault = self._faults.due(kind, "create")
        if fault is not None and not (fault.half or fault.crash):
            raise Refused(fault.code, fault.message)
        with self._world.lock:
            self._judge(Case(self._world, kind, inputs), rule.refuse)
            self._known(inputs, rule)
            self._free(kind, inputs, rule)
            thing = self._made(kind, inputs, rule)
            self._world.put(thing)
        if kind == GROUP:
            self._start(thing, fault if fault is not None and fault.half else None)
        if fault is not None and fault.crash:
            os.kill(os.getppid(), signal.SIGKILL)
            os._exit(1)
        return thing

    def _start(self, group: Thing, fault: Fault | None) -> None:
        """Boot a group's nodes; a group without capacity stays, and is no use.

        https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html#managed-node-group-errors
        """
        try:
            if fault is not None:
                raise TimeoutError(
                    f"unexpected state 'CREATE_FAILED', wanted target 'ACTIVE'. {fault.code}: {fault.message}"
                )
            self._nodes.boot(group, self._template(group.inputs))
        except TimeoutError as error:
            group.status = group.outputs["status"] = "CREATE_FAILED"
            self._world.put(group)
            raise Refused("waiting for completion", str(error), half=group) from None
        group.status = group.outputs["status"] = "ACTIVE"
        self._world.put(group)

    def _update(self, thing: Thing, news: dict[str, Any], rule: Rule) -> None:
        fault = self._faults.due(thing.kind, "update")
        if fault is not None:
            raise Refused(fault.code, fault.message, half=thing if fault.half else None)
        time.sleep(rule.seconds)
        with self._world.lock:
            self._judge(Case(self._world, thing.kind, news, thing), rule.refuse)
            self._known(news, rule)
            old, thing.inputs = thing.inputs, news
            for output in rule.volatile:
                thing.outputs[output] = int(thing.outputs[output]) + 1
            thing.outputs.update(_computed(thing.kind, news, thing.outputs))
            self._world.put(thing)
        if thing.kind == GROUP:
            if thing.status == "ACTIVE" and any(old.get(key) != news.get(key) for key in DISRUPTIVE):
                self._nodes.replace(thing, self._template(news))
            self._start(thing, None)

    def _delete(self, thing: Thing) -> None:
        rule = self._rules.resources[thing.kind]
        with self._world.lock:
            self._judge(Case(self._world, thing.kind, thing.inputs, thing), rule.refuse_delete)
            for other in self._world.all():
                for path, reference in self._rules.resources[other.kind].refers.items():
                    if reference.in_use is None or reference.to != thing.kind or other.id == thing.id:
                        continue
                    own = thing.id if reference.output == "id" else thing.outputs.get(reference.output)
                    if own in values(other.inputs, path):
                        raise Refused(reference.in_use, f"{thing.id} has a dependent object, {other.id}")
            if thing.kind != GROUP:
                self._world.remove(thing)
        if thing.kind == GROUP:
            self._nodes.end(thing)
            self._world.remove(thing)

    def _judge(self, case: Case, names: Sequence[str]) -> None:
        for name in names:
            if (reason := refusals.CHECKS[name](case)) is not None:
                raise Refused(self._rules.refusals[name].code, reason)

    def _known(self, inputs: Mapping[str, Any], rule: Rule) -> None:
        """Refuse inputs that name what is not there."""
        for path, reference in rule.refers.items():
            for value in values(inputs, path):
                if self._world.by(reference.to, reference.output, value) is None:
                    raise Refused(reference.missing, f"{path} {value} does not exist")

    def _free(self, kind: str, inputs: Mapping[str, Any], rule: Rule) -> None:
        """Refuse a name, or whatever else may be had once, that is taken."""
        if rule.unique is None:
            return
        wanted = [at(inputs, path) for path in rule.unique.by]
        for other in self._world.all(kind):
            if [other.get(path) for path in rule.unique.by] == wanted:
                raise Refused(rule.unique.code, f"{other.id} already exists")

    def _made(self, kind: str, inputs: dict[str, Any], rule: Rule) -> Thing:
        prefix = inputs.get("nodeGroupNamePrefix")
        ground = self._world.ground
        fields = {
            "hex": secrets.token_hex(8) + "0",
            "account": ground.account,
            "region": ground.region,
            "partition": ground.partition,
            "name": f"{prefix}{secrets.token_hex(8)}" if prefix else inputs.get("nodeGroupName") or inputs.get("name"),
            "in": inputs,
        }
        id_ = rule.id.format(**fields)
        outputs = {
            key: value.format(**fields, id=id_) if isinstance(value, str) else value
            for key, value in rule.outputs.items()
        }
        if kind == refusals.EKS:
            subnet = self._world.find(refusals.SUBNET, str(at(inputs, "vpcConfig.subnetIds")[0]))
            network = {
                "clusterSecurityGroupId": f"sg-{fields['hex']}",
                "vpcId": subnet.get("vpcId") if subnet else None,
            }
            outputs |= {
                "endpoint": ground.endpoint,
                "certificateAuthority": {"data": ground.authority},
                "vpcConfig": {**inputs["vpcConfig"], **network},
            }
        if "tags" in inputs or self._tags:
            outputs["tagsAll"] = {**self._tags, **(inputs.get("tags") or {})}
        return Thing(kind, id_, inputs, outputs)

    def _imported(self, kind: str, named: str) -> Thing | None:
        """The resource that an import names otherwise than by its id."""
        form = self._rules.resources[kind].import_id
        found = (thing for thing in self._world.all(kind) if form and form.format(**{"in": thing.inputs}) == named)
        return next(found, None)

    def _template(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        found = self._world.find(refusals.TEMPLATE, str(at(inputs, "launchTemplate.id")))
        return found.inputs if found else {}

    def _offerings(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        filters = {row["name"]: row["values"] for row in asked["filters"]}
        sold = refusals.CATALOG.offerings.get(self._world.ground.region, {})
        rows = [
            (zone, name)
            for zone in filters["location"]
            for name in filters["instance-type"]
            if name in sold.get(zone, ())
        ]
        return {
            **asked,
            "id": self._world.ground.region,
            "locations": [zone for zone, _ in rows],
            "instanceTypes": [name for _, name in rows],
            "locationTypes": ["availability-zone-id"] * len(rows),
        }

    def _meet(self, kind: str, operation: str, context: Any) -> None:
        fault = self._faults.due(kind, operation)
        if fault is not None:
            context.abort(grpc.StatusCode.UNKNOWN, f"{operation} {kind}: {fault.code}: {fault.message}")

    def _rule(self, urn: str) -> Rule:
        return self._rules.resources[kind_of(urn)]

    @staticmethod
    def _fail(context: Any, message: str, half: Thing | None, inputs: Mapping[str, Any]) -> NoReturn:
        """End a call with an error; the engine records a resource that is there all the same."""
        if half is None:
            context.abort(grpc.StatusCode.UNKNOWN, message)
            raise AssertionError("abort always raises")
        detail = any_pb2.Any()
        detail.Pack(
            provider_pb2.ErrorResourceInitFailed(
                id=half.id,
                properties=_struct({**half.inputs, **half.outputs}),
                reasons=[message],
                inputs=_struct(inputs),
            )
        )
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, message)
        raise AssertionError("abort always raises")


def _computed(kind: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs beyond the table's, after a change of inputs: a cluster's network says more than it was asked for."""
    if kind != refusals.EKS:
        return {}
    old = outputs["vpcConfig"]
    network = {**inputs["vpcConfig"], **{key: old[key] for key in ("clusterSecurityGroupId", "vpcId")}}
    return {**{key: outputs[key] for key in ("endpoint", "certificateAuthority")}, "vpcConfig": network}


def _changed(old: Any, new: Any, path: Keys = ()) -> Iterator[Keys]:
    """Paths at which two values differ; a list counts as a whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            if not key.startswith("__"):
                yield from _changed(old.get(key), new.get(key), (*path, key))
    elif old != new:
        yield path


def _property_path(path: Keys) -> str:
    """https://www.pulumi.com/docs/iac/concepts/options/ignorechanges/#property-paths."""
    text = "".join(f'["{key}"]' if "." in key else f".{key}" for key in path)
    return text.removeprefix(".")


def _kind_of_change(old: Any, new: Any, path: Keys, *, replaces: bool) -> Any:
    """What becomes of the value at a path, as the protocol names it."""
    for key in path[:-1]:
        old, new = (value.get(key) if isinstance(value, dict) else None for value in (old, new))
    had, has = (isinstance(value, dict) and value.get(path[-1]) is not None for value in (old, new))
    word = "UPDATE" if had and has else "ADD" if has else "DELETE"
    return provider_pb2.PropertyDiff.Kind.Value(f"{word}_REPLACE" if replaces else word)


def _below(path: str, stem: str) -> bool:
    return path == stem or path.startswith(f"{stem}.") or stem.startswith(f"{path}.")


def _plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A protocol struct as plain data; whole numbers are integers."""
    made: dict[str, Any] = _whole(json_format.MessageToDict(struct))
    return made


def _whole(value: Any) -> Any:
    match value:
        case float():
            return int(value) if value.is_integer() else value
        case dict():
            return {key: _whole(item) for key, item in value.items()}
        case list():
            return [_whole(item) for item in value]
        case _:
            return value


def _struct(plain: Mapping[str, Any]) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(plain)
    return made


def _end_with(engine: int) -> None:
    """End this process when its engine was killed."""
    while os.getppid() == engine:
        time.sleep(POLL_S)
    os._exit(1)


def main() -> None:
    """Serve until the engine ends this process; the port is the first and only line on stdout."""
    server = grpc.server(
        futures.ThreadPoolExecutor(32), options=[("grpc.max_receive_message_length", 400 * 1024 * 1024)]
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Aws(Path(os.environ[FOLDER])), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()
