"""A request in the run history is read again as it was."""

from __future__ import annotations

import pytest

from harbor_agent.engine.request.request import (
    NodeSelection,
    RegistryFlags,
    RunRequest,
    decode_request,
    encode_request,
)


def test_a_request_survives_the_history() -> None:
    request = RunRequest(
        selection=NodeSelection(sources=("/etc/inventory",), limit="workers", forks=3),
        flags=RegistryFlags(addresses=("192.168.0.99",)),
        note="ticket 7",
    )
    assert decode_request(encode_request(request)) == request


@pytest.mark.parametrize("text", ["", "[]", '{"selection": {"forks": "many"}}'])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_request(text)
