"""Carries bytes to nodes and back; decides nothing."""

from __future__ import annotations

import sys

# paramiko imports invoke where there is one, for `Match exec` in ssh_config files, which it is never asked to read
# here; that is a third of what its own import costs. None makes invoke a module that is not found.
sys.modules.setdefault("invoke", None)  # type: ignore[arg-type]
