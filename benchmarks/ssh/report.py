"""The tables of benchmarks/fleet.py, in Markdown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.ssh.sides import BARE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.fleet import Measured
    from benchmarks.ssh.dead import DeadHosts
    from benchmarks.ssh.sides import Work

BEGIN, END = "<!-- benchmarks/fleet.py: begin -->\n", "<!-- end -->\n"
HEAD = ("", "wall", "CPU", "wall ÷ bare", "CPU ÷ bare", "memory", "connections", "bytes", "round trips")


def tables(work: Work, found: Mapping[str, Measured], missing: Mapping[str, str], dead: DeadHosts) -> str:
    """Return the table of one fleet, and a line about hosts that do not answer."""
    rounds = len(found[BARE].costs)
    load = os.getloadavg()[2]
    machine = f"{os.cpu_count()} cores, load of the last 15 minutes, the hosts' own included, {load:.1f}"
    without = f"without, {dead.wall_without:.1f} s"
    lines = [
        f"### {work.count} hosts, {work.forks} at a time",
        "",
        f"Median of {rounds}; {machine}.",
        "",
        f"| {' | '.join(HEAD)} |",
        f"|{'---|' * len(HEAD)}",
    ]
    lines += [f"| {name} | {' | '.join(_cells(one, found[BARE]))} |" for name, one in found.items()]
    lines += [f"| {name} | {why} {'| ' * (len(HEAD) - 2)}|" for name, why in missing.items()]
    lines += [
        "",
        f"With {dead.count} hosts that do not answer, the plan takes {dead.wall:.1f} s; {without}.",
        "",
    ]
    return "\n".join(lines)


def written(text: str, found: str) -> str:
    """Return the text of the file with what was found between the marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{found}{END}{rest.partition(END)[2]}"


def _cells(one: Measured, bare: Measured) -> list[str]:
    cells = [f"{one.wall:.2f} s", f"{one.cpu:.2f} s", f"{one.wall / bare.wall:.2f}", f"{one.cpu / bare.cpu:.2f}"]
    cells.append("" if one.memory is None else f"{one.memory / 2**20:.0f} MiB")
    cells.append("" if one.connections is None else f"{one.connections:.1f}")
    cells.append("" if one.bytes is None else f"{one.bytes / 2**10:.1f} KiB")
    cells.append("" if one.round_trips is None else f"{one.round_trips:.1f}")
    if len(one.costs) < len(bare.costs):
        cells[0] += f" (of {len(one.costs)})"
    return cells
