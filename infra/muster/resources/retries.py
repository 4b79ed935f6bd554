"""Hooks around operations: which failures are worth another try, and what must not be touched at all."""

import time
from collections.abc import Callable

import pulumi

WEBHOOK_TRIES, RUNTIME_TRIES = 90, 10
WEBHOOK_PAUSE_S = 1.0

WEBHOOK_NOT_READY = ("failed calling webhook", "no endpoints available", "connection refused", "no matches for kind")
RUNTIME_NOT_SEEN = "must be created before the TrainJob is created"
"""What Trainer's webhook says of a runtime that its cache has not heard of: one that was made a moment ago, too.

https://github.com/kubeflow/trainer/blob/v2.3.0/pkg/runtime/core/clustertrainingruntime.go
"""
TRIES = {**dict.fromkeys(WEBHOOK_NOT_READY, WEBHOOK_TRIES), RUNTIME_NOT_SEEN: RUNTIME_TRIES}
RELEASE_BLOCKED = (
    "cannot re-use a name that is still in use",
    "another operation (install/upgrade/rollback) is in progress",
)

IsForeign = Callable[[str], bool]
"""(namespace): whether it is there and was not made by a stack of this project."""

ForgetRelease = Callable[[str, str], None]
"""(namespace, release): delete Helm's records of a release whose operation was cut off."""


def webhook_not_ready(args: pulumi.ErrorHookArgs) -> bool:
    """Whether to try again: an admission webhook does not answer yet, or not by what was made just before.

    A Deployment is Available before the controller's certificate has reached the webhook configuration.
    https://github.com/kubeflow/trainer/issues/2404
    """
    if len(args.errors) >= max((tries for text, tries in TRIES.items() if text in args.errors[0]), default=0):
        return False
    time.sleep(WEBHOOK_PAUSE_S)
    return True


def release_blocked(args: pulumi.ErrorHookArgs, forget: ForgetRelease) -> bool:
    """Whether to try again: a killed run left a Helm release `pending-install`, or unrecorded, which `forget` mends.

    Helm adopts existing objects that carry its own ownership labels, so deleting only its record loses nothing.
    https://github.com/pulumi/pulumi-kubernetes/issues/2054
    """
    if len(args.errors) > 1 or not any(text in args.errors[0] for text in RELEASE_BLOCKED):
        return False
    inputs = args.new_inputs or {}
    forget(str(inputs["namespace"]), str(inputs["name"]))
    return True


def refuse_foreign_namespace(args: pulumi.ResourceHookArgs, is_foreign: IsForeign) -> None:
    """Raise RuntimeError for a namespace that is somebody else's: destroy would delete it with all it holds.

    The provider creates by server-side apply, which adopts what is there under the same name.
    https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/
    """
    name = str((args.new_inputs or {})["metadata"]["name"])
    if is_foreign(name):
        raise RuntimeError(
            f"namespace {name} is there already and was not made by this project; "
            "give the jobs another one (jobs.NAME.namespace), or remove it"
        )
