"""Names of images as the runtimes take them: what is refused before any node is contacted."""

from __future__ import annotations

import pytest

from harbor_agent.model.address import Address
from harbor_agent.planning.config.images import find_image_fault

HARBOR = Address.parse("192.168.0.99")
DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    "image",
    [
        "library/pause:3.9",
        "pause",
        "a/b/c_d__e-f.g:V1.2-rc_3",
        f"library/pause@{DIGEST}",
        f"library/pause:3.9@{DIGEST}",
    ],
)
def test_a_repository_with_a_tag_or_digest_is_an_image(image: str) -> None:
    assert find_image_fault(image, HARBOR) is None


@pytest.mark.parametrize(
    "image",
    [
        "",
        "/x",
        "http://joe@192.168.0.99/x:1",
        "192.168.0.99:5000/library/pause:3.9",
        "library/Pause:3.9",
        "library/pause:",
        "library/pause:3.9\n",
        "library/pause 3.9",
        "library/pause:3.9;reboot",
        "library/päuse",
    ],
)
def test_what_no_runtime_pulls_is_named(image: str) -> None:
    fault = find_image_fault(image)
    assert fault is not None
    assert "is not an image" in fault.message
    assert "joe" not in fault.message


def test_the_address_of_the_registry_is_not_part_of_it() -> None:
    fault = find_image_fault("192.168.0.99/library/pause:3.9", HARBOR)
    assert fault is not None
    assert "repeats the address of the registry" in fault.message
    assert "without the registry's address" in fault.hint
