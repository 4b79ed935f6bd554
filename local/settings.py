"""Name and addresses of the embedded cluster, from cluster.yaml or the file that MUSTER_CLUSTER_CONFIG names."""

import ipaddress
import os
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from local.places import ROOT
from local.problem import Problem


def _network(text: str) -> str:
    return str(ipaddress.IPv4Network(text))


Network = Annotated[str, AfterValidator(_network)]


class ClusterSettings(BaseModel):
    """What a user may choose."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    interface: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,14}$")]
    """The cluster's end of the link on this machine; at most 15 characters, the kernel's limit."""
    link: Network
    """Two usable addresses: this machine's and the node's."""
    pods: Network
    services: Network
    api_server_port: Annotated[int, Field(ge=1, le=65535)]


def load() -> ClusterSettings:
    """Read the settings. Raises Problem with every mistake in the file."""
    path = Path(os.environ.get("MUSTER_CLUSTER_CONFIG") or ROOT / "local" / "cluster.yaml")
    try:
        return ClusterSettings.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}; MUSTER_CLUSTER_CONFIG names the file") from None
    except yaml.YAMLError as error:
        raise Problem(f"{path} is not YAML: {error}") from None
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, e['loc']))}: found {e['input']!r}; {e['msg']}" for e in error.errors()]
        raise Problem("\n".join(lines)) from None
