"""The backups that a node keeps of a change: the files as they were before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.model.result import TransactionPhase

if TYPE_CHECKING:
    from harbor_agent.model.state import FileState


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """One file as it was, absent or regular with its content.

    `written` is the file that the transaction wrote, as "KIND MODE UID GID SHA256" (mode in octal; "absent - - - -" if
    it deleted the file). A file that differs from both was edited since. It is "" for a pristine original, which no
    single transaction wrote.
    """

    path: str
    state: FileState
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The files as they were before one transaction, in the order in which it changed them.

    `runtime` is the one that the transaction changed. For the originals from before the first transaction,
    `transaction` is "pristine", `runtime` is "" and `phase` is NONE.
    """

    transaction: str
    runtime: str
    files: tuple[SavedFile, ...]
    phase: TransactionPhase = TransactionPhase.NONE
