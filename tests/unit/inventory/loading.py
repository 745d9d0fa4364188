"""What the tests of inventories share: the problem of an inventory that is rejected."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from harbor_agent.errors import ExitCode, UsageError
from harbor_agent.inventory.load import load_inventory

if TYPE_CHECKING:
    from harbor_agent.errors import Problem
    from harbor_agent.model.inventory import VaultSources

Write = Callable[[str, str], str]


def refusal(*sources: str, limit: str | None = None, vault: VaultSources | None = None) -> Problem:
    """Load an inventory that must be rejected, and return why it is."""
    with pytest.raises(UsageError) as caught:
        load_inventory(sources, limit=limit, vault=vault)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.problem
