"""paramiko, imported without what it never needs here.

Where there is invoke, paramiko imports it for `Match exec` in ssh_config files, which it is never asked to read; that
is a third of what its own import costs. It is kept out for the time of that import only.
"""

from __future__ import annotations

import sys

_IS_LOADED = "invoke" in sys.modules
if not _IS_LOADED:
    sys.modules["invoke"] = None  # type: ignore[assignment]  # a module that is not found
try:
    import paramiko
finally:
    if not _IS_LOADED:
        del sys.modules["invoke"]

__all__ = ["paramiko"]
