"""The surroundings that Ansible's library needs to be imported and used: no output, no files in the user's home."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Ansible creates its temporary directory, by default in ~/.ansible, when it is imported (ansible.constants).
_TEMPORARY_DIRECTORY = "ANSIBLE_LOCAL_TEMP"


@contextlib.contextmanager
def silence_ansible() -> Iterator[None]:
    """Import Ansible's settings and discard what Ansible prints while the block runs.

    Raises UsageError if ansible.cfg cannot be read.
    """
    before = os.environ.get(_TEMPORARY_DIRECTORY)
    os.environ.setdefault(_TEMPORARY_DIRECTORY, tempfile.gettempdir())
    # Ansible writes to the stream's buffer, which a StringIO does not have.
    sink = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="replace")
    try:
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
            _import_settings()
            yield
    finally:
        if before is None:
            del os.environ[_TEMPORARY_DIRECTORY]


def is_setting(variable: str) -> bool:
    """Whether an environment variable is a setting of Ansible's, other than the one that is set here."""
    return variable.startswith("ANSIBLE_") and variable != _TEMPORARY_DIRECTORY


def _import_settings() -> None:
    """Import Ansible's settings: it finds and reads ansible.cfg on import. Raises UsageError if that fails."""
    from ansible.errors import AnsibleError  # noqa: PLC0415 - 0.3 s, only for inventories

    try:
        import ansible.constants  # noqa: F401, PLC0415 - likewise
    except AnsibleError as error:
        message = " ".join(str(error).split())
        hint = "correct the file, or use another one: export ANSIBLE_CONFIG=FILE"
        raise UsageError.of("ansible-cfg-invalid", message, hint) from None
