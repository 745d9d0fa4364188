"""What a node still knows of a change: the files as they were before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.model.result import TransactionPhase

if TYPE_CHECKING:
    from harbor_agent.model.state import FileState


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """One file as it was, absent or regular with its content.

    `written` is what the transaction made of it, as "KIND MODE UID GID SHA256" (mode in octal; "absent - - - -"
    where it was deleted): what is there now and differs from both was edited since. "" for a pristine original,
    which belongs to no single transaction.
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
