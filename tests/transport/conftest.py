"""A real OpenSSH server, nodes of two Debian releases, and no keys of the user who runs the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lab.nodes import Lab
from tests.transport.sshd import public_folder, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.transport.sshd import Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with public_folder() as home, serving(home) as running:
        yield running


@pytest.fixture(scope="session")
def releases() -> Iterator[Lab]:
    """A lab of two nodes without Docker: Debian 12 and 13."""
    with Lab(shapes=("no-docker", "no-docker"), suites=("bookworm", "trixie")) as lab:
        yield lab


@pytest.fixture(autouse=True)
def _no_keys_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the keys and the agent of the user who runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
