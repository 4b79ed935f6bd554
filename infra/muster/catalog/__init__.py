"""Facts about instance types, with their source and date."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class InstanceType:
    """What one machine of a type has: `gpu_memory_gib` for each GPU, `efa_interfaces` at most."""

    name: str
    vcpu: int
    memory_gib: int
    gpus: int
    gpu_model: str
    gpu_memory_gib: float
    efa_interfaces: int


@dataclass(frozen=True)
class Catalog:
    """Instance types by name; `source` and `date` say where the facts come from and of which day they are."""

    source: str
    date: str
    types: Mapping[str, InstanceType]


def parse(document: Mapping[str, Any]) -> Catalog:
    """A catalog from its JSON document. Raises KeyError or TypeError where a fact is missing or unknown."""
    types = {
        name: InstanceType(
            name=name,
            vcpu=facts["vcpu"],
            memory_gib=facts["memoryGiB"],
            gpus=facts["gpus"],
            gpu_model=facts["gpuModel"],
            gpu_memory_gib=facts["gpuMemoryGiB"],
            efa_interfaces=facts["efaInterfaces"],
        )
        for name, facts in document["types"].items()
    }
    return Catalog(source=document["source"], date=document["date"], types=types)


def load() -> Catalog:
    """The catalog that is part of this package."""
    return parse(json.loads(resources.files(__name__).joinpath("instances.json").read_text("utf-8")))
