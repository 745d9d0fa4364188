"""The log of corrections, and the nodes in quarantine, on which another program reverts them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.engine.history.database import Database
from harbor_agent.local.clock import Moment
from harbor_agent.model.runs import PastCorrection, Quarantine

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# Enough for years of a healthy cluster, and for a day if every node of a large one is corrected again and again.
_MOST_CORRECTIONS = 20_000
_ADD = "INSERT INTO correction (node, place, path, found, clock, boot_id, uptime) VALUES (?, ?, ?, ?, ?, ?, ?)"
_PRUNE = "DELETE FROM correction WHERE number <= (SELECT MAX(number) FROM correction) - ?"
_QUARANTINE = "INSERT OR REPLACE INTO quarantine (node, place, since, path, reason, owner) VALUES (?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectedFile:
    """A file that a run is about to correct, as it is before (see `PastCorrection`); `place` as in `Quarantine`."""

    node: str
    place: str = ""
    path: str
    found: str


def find_quarantine(quarantines: Sequence[Quarantine], node: str, place: str) -> Quarantine | None:
    """Return the quarantine of a node at its place, also one whose place is not known."""
    found = {one.place: one for one in quarantines if one.node == node}
    return found.get(place) or found.get("")


class CorrectionLog(Database):
    """The corrections and quarantines. Every method raises HistoryError (`history-unusable`)."""

    def add(self, corrections: Sequence[CorrectedFile]) -> int:
        """Record corrections before they are carried out, so that a killed run counts too.

        Returns the number of the last correction before, for `forget`.
        """
        now = Moment.now()
        rows = [(c.node, c.place, c.path, c.found, now.unix_time, now.boot_id, now.uptime) for c in corrections]
        with self.translate_errors(), self.write_all_or_nothing():
            last: int = self.connection.execute("SELECT COALESCE(MAX(number), 0) FROM correction").fetchone()[0]
            self.connection.executemany(_ADD, rows)
            self.connection.execute(_PRUNE, (_MOST_CORRECTIONS,))
        return last

    def forget(self, added: int, nodes: Collection[tuple[str, str]]) -> None:
        """Delete what `add` recorded for nodes that were not changed after all, by name and place.

        `added` is what it returned.
        """
        with self.translate_errors(), self.write_all_or_nothing():
            self.connection.executemany(
                "DELETE FROM correction WHERE number > ? AND node = ? AND place = ?", [(added, *node) for node in nodes]
            )

    def list_corrections(self, node: str, place: str) -> list[PastCorrection]:
        """Return the corrections of a node since its last release, newest first, also those without a place."""
        now = Moment.now()
        with self.translate_errors():
            query = "SELECT * FROM correction WHERE node = ? AND place IN (?, '') ORDER BY number DESC"
            rows = self.connection.execute(query, (node, place)).fetchall()
        return [
            PastCorrection(
                path=row["path"],
                found=row["found"],
                seconds_ago=now.seconds_since(
                    Moment(unix_time=row["clock"], boot_id=row["boot_id"], uptime=row["uptime"])
                ),
            )
            for row in rows
        ]

    def quarantine(self, quarantine: Quarantine) -> None:
        """Put a node into quarantine."""
        values = (
            quarantine.node,
            quarantine.place,
            quarantine.since,
            quarantine.path,
            quarantine.reason,
            quarantine.owner,
        )
        with self.translate_errors(), self.write_all_or_nothing():
            self.connection.execute(_QUARANTINE, values)

    def list_quarantines(self) -> list[Quarantine]:
        """Return the nodes in quarantine."""
        with self.translate_errors():
            rows = self.connection.execute("SELECT * FROM quarantine ORDER BY node, place").fetchall()
        return [Quarantine(**{name: row[name] for name in row.keys()}) for row in rows]  # noqa: SIM118 - no mapping

    def find_name(self, quarantine: Quarantine) -> str:
        """Return the name by which `release` finds exactly this one, as a word of a shell command."""
        others = [one for one in self.list_quarantines() if one.node == quarantine.node and one != quarantine]
        return shlex.quote(quarantine.full_name if others else quarantine.node)

    def release(self, name: str) -> list[Quarantine]:
        """Release a node from quarantine and delete its corrections; `name` is with or without its place.

        Returns what was in quarantine under this name. If that is not exactly one, nothing is released.
        """
        found = [one for one in self.list_quarantines() if name in (one.node, one.full_name)]
        if len(found) == 1:
            key = (found[0].node, found[0].place)
            with self.translate_errors(), self.write_all_or_nothing():
                self.connection.execute("DELETE FROM quarantine WHERE node = ? AND place = ?", key)
                self.connection.execute("DELETE FROM correction WHERE node = ? AND place IN (?, '')", key)
        return found
