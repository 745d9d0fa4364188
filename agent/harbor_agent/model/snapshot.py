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
    """What one transaction can be taken back to; `files` are in the order in which they were changed.

    `transaction` is "pristine" for the originals from before the first transaction; `unit` and `config_file` are
    "" then, and `phase` is NONE.
    """

    transaction: str
    unit: str
    config_file: str
    files: tuple[SavedFile, ...]
    phase: TransactionPhase = TransactionPhase.NONE
