"""Names of images in a registry, by the grammar of distribution/reference (regexp.go), which every runtime uses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.formats.redact import mask_userinfo

if TYPE_CHECKING:
    from harbor_agent.model.address import Address

_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*([_.+-][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,}"
IMAGE_PATTERN = rf"^{_COMPONENT}(/{_COMPONENT})*(:{_TAG})?(@{_DIGEST})?$"


def find_image_fault(image: str, registry: Address | None = None) -> Problem | None:
    """Return why `image` is not a repository with a tag or digest, or that it repeats the address of `registry`."""
    hint = "write project/repository:tag, without the registry's address"
    shown = mask_userinfo(image)
    if re.fullmatch(IMAGE_PATTERN, image) is None:
        return Problem(code="configuration-invalid", message=f"'{shown}' is not an image", hint=hint)
    if registry and image.partition("/")[0] in (registry.host, registry.entry):
        message = f"verify_image '{shown}' repeats the address of the registry"
        return Problem(code="configuration-invalid", message=message, hint=hint)
    return None
