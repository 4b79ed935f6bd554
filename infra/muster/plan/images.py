"""Container images: where they are pulled from."""

DOCKER_HUB = "docker.io"


def mirrored(image: str, registry: str | None) -> str:
    """The name of an image's copy: the mirror's registry and path, then the image's own full name.

    An image of the mirror itself, and every image without a mirror, keeps its name.
    """
    if (
        registry is None
        or image.startswith(f"{registry}/")
        or image.split("/", maxsplit=1)[0] == registry.split("/")[0]
    ):
        return image
    first = image.split("/", maxsplit=1)[0]
    full = image if "." in first or ":" in first else f"{DOCKER_HUB}/{image}"
    return f"{registry}/{full}"
