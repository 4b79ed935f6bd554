"""Secrets of a stack file: sealed by Pulumi, and never seen by settings or plan."""

from collections.abc import Collection, Mapping

from pydantic import ConfigDict

from muster.problems import Problem, SettingsError
from muster.settings.model import Model
from muster.texts import Line

KEY = "muster:secrets"
HELD = "held by the engine"
"""Stands for a value that the engine has unsealed."""


class Sealed(Model):
    """A secret as `pulumi config set --secret --path` writes it."""

    model_config = ConfigDict(
        json_schema_extra={
            "writeOnly": True,
            "patternErrorMessage": "expected what pulumi config set --secret --path 'muster:secrets.NAME' writes",
        }
    )

    secure: Line
    """The sealed value."""


def veiled(config: Mapping[str, object], secret: Collection[str], source: str) -> dict[str, object]:
    """The configuration without the values that the engine unsealed; `secret` are the keys that hold such.

    Raises SettingsError, naming `source`, where another key of this project holds one: it would stand in the clear in
    manifests.
    """
    elsewhere = sorted(key for key in secret if key.startswith("muster:") and key != KEY)
    if elsewhere:
        expected = "a name under secrets, and jobs.NAME.secrets that refers to it"
        raise SettingsError(Problem(source, key.removeprefix("muster:"), "a secret", expected) for key in elsewhere)
    found = config.get(KEY)
    if KEY not in secret or not isinstance(found, Mapping):
        return dict(config)
    return {**config, KEY: {name: {"secure": HELD} for name in found}}
