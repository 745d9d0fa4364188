"""The name of an image, and where a registry serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.model.address import Address

MANIFEST_TYPES = (
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.oci.image.index.v1+json"
)


def format_image(address: Address, repository: str, reference: str | None) -> str:
    """Return the image's name as users write it; a digest is left out."""
    return f"{address}/{repository}" + (f":{reference}" if reference and ":" not in reference else "")


def build_image_url(address: Address, repository: str, reference: str | None) -> str:
    """Return the URL of the manifest, or without a reference of the list of tags."""
    return f"{address.url}/v2/{repository}/" + (f"manifests/{reference}" if reference else "tags/list")
