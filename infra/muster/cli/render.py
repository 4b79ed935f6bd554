"""`muster render`: the manifests of a stack."""

import typer
import yaml

from muster.cli.context import Stack, planned


def show(stack: Stack = "local") -> None:
    """Print every manifest that the stack would apply, as YAML; what only AWS or Pulumi knows is in angle brackets."""
    from muster.manifests import (  # noqa: PLC0415 - only here
        aws,
        node,
        queue,
        runtime,
        secret,
        service,
        storage,
        trainjob,
        workload,
    )

    made = planned(stack)
    documents = [
        *(aws.documents(made.aws) if made.aws else ()),
        *(node.build(item) for item in made.nodes),
        *(queue.build(item) for item in made.queues),
        *(storage.volume(item, aws.file_system(item)) for item in made.claims if item.volume is not None),
        *(storage.claim(item) for item in made.claims),
        *(workload.build(item) for item in made.files),
        *(secret.build(item, "<secret>") for item in made.secrets),
        *(runtime.build(item) for item in made.runtimes),
        *(service.build(item) for item in made.services),
        *(trainjob.build(item) for item in made.jobs),
    ]
    typer.echo(yaml.safe_dump_all(documents, sort_keys=False), nl=False)
