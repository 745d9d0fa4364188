"""paramiko, imported without invoke.

If invoke is installed, paramiko imports it for `Match exec` in ssh_config files, which this tool does not read with
paramiko. That takes a third of the import time, so invoke is hidden during that import only.
"""

from __future__ import annotations

import sys

_IS_LOADED = "invoke" in sys.modules
if not _IS_LOADED:
    sys.modules["invoke"] = None  # type: ignore[assignment]  # means "not found" to import
try:
    import paramiko
finally:
    if not _IS_LOADED:
        del sys.modules["invoke"]

__all__ = ["paramiko"]
