"""Error hooks: which failures of a create or update are worth another try, and what must be mended before it."""

import time
from collections.abc import Callable

import pulumi

WEBHOOK_TRIES = 90
WEBHOOK_PAUSE_S = 1.0

WEBHOOK_NOT_READY = ("failed calling webhook", "no endpoints available", "connection refused", "no matches for kind")
RELEASE_BLOCKED = (
    "cannot re-use a name that is still in use",
    "another operation (install/upgrade/rollback) is in progress",
)

ForgetRelease = Callable[[str, str], None]
"""(namespace, release): delete Helm's records of a release whose operation was cut off."""


def webhook_not_ready() -> pulumi.ErrorHook:
    """Error hook that tries again while an admission webhook that was just installed does not answer yet.

    A Deployment is Available before the controller's certificate has reached the webhook configuration.
    https://github.com/kubeflow/trainer/issues/2404
    """

    def retry(args: pulumi.ErrorHookArgs) -> bool:
        if not any(text in args.errors[0] for text in WEBHOOK_NOT_READY) or len(args.errors) >= WEBHOOK_TRIES:
            return False
        time.sleep(WEBHOOK_PAUSE_S)
        return True

    return pulumi.ErrorHook("webhook-not-ready", retry)


def release_blocked(forget: ForgetRelease) -> pulumi.ErrorHook:
    """Error hook that takes a Helm release back after a killed run left it `pending-install` or unrecorded.

    Helm adopts existing objects that carry its own ownership labels, so deleting only its record loses nothing.
    https://github.com/pulumi/pulumi-kubernetes/issues/2054
    """

    def retry(args: pulumi.ErrorHookArgs) -> bool:
        if len(args.errors) > 1 or not any(text in args.errors[0] for text in RELEASE_BLOCKED):
            return False
        inputs = args.new_inputs or {}
        forget(str(inputs["namespace"]), str(inputs["name"]))
        return True

    return pulumi.ErrorHook("release-blocked", retry)
