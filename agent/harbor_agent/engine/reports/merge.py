"""The reports of all shards as one: complete, without a node twice, or refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.engine.exit_codes import find_most_severe
from harbor_agent.engine.reports.file import RunFile
from harbor_agent.engine.reports.part import PartFile
from harbor_agent.errors import ExitCode, UsageError
from harbor_agent.planning.rollout.shards import describe_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harbor_agent.errors import Problem
    from harbor_agent.model.result import NodeResult

_INTERRUPTED = {ExitCode.INTERRUPTED: ExitCode.STOPPED, ExitCode.TERMINATED: ExitCode.STOPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedReport:
    """The reports of all shards, in their order."""

    shards: tuple[RunFile, ...]

    @property
    def results(self) -> tuple[NodeResult, ...]:
        """The results of all nodes."""
        return tuple(node.build_result() for shard in self.shards for node in shard.nodes)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The warnings of all runs, each once."""
        return tuple(dict.fromkeys(warning for shard in self.shards for warning in shard.list_warnings()))

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that one run of all nodes would have had."""
        return find_common_exit_code(self.shards)


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedParts:
    """The plans of all shards, or their drift checks, in the order of the shards."""

    shards: tuple[PartFile, ...]

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that one command for all nodes would have had."""
        return find_common_exit_code(self.shards)


def merge_reports(files: Sequence[RunFile | PartFile]) -> MergedReport | MergedParts:
    """Merge the reports of all shards of a fleet.

    Raises UsageError: `shards-differ` if they are not of one rollout, `shards-overlap` if two have the same shard or
    the same node, `shards-incomplete` if a shard is missing or a report lacks nodes.
    """
    for problem in _list_objections(files):
        raise problem
    ordered = sorted(files, key=_get_index)
    runs = tuple(file for file in ordered if isinstance(file, RunFile))
    parts = tuple(file for file in ordered if isinstance(file, PartFile))
    return MergedReport(shards=runs) if runs else MergedParts(shards=parts)


def find_common_exit_code(files: Sequence[RunFile | PartFile]) -> ExitCode:
    """Return the exit code of all: the most severe one, and that of an early stop for one that was interrupted."""
    codes = [ExitCode(file.exit_code) for file in files]
    return find_most_severe(_INTERRUPTED.get(code, code) for code in codes)


def _list_objections(files: Sequence[RunFile | PartFile]) -> Iterator[UsageError]:
    first = files[0]
    for file in files:
        if file.shard is None:
            message = f"{file.path} is the report of a run without --shard"
            yield UsageError.of("shards-differ", message, "merge takes the reports of shards; leave this one out")
        if difference := _find_difference(first, file):
            message = f"{first.path} and {file.path} are not of one rollout: {difference}"
            yield UsageError.of("shards-differ", message, "merge the reports of runs with the same options only")
    yield from _list_overlaps(files)
    count = first.shard.count if first.shard else 0
    if missing := sorted(set(range(1, count + 1)) - {_get_index(file) for file in files}):
        named = ", ".join(f"{index}/{count}" for index in missing)
        yield UsageError.of(
            "shards-incomplete", f"there is no report of shard {named}", "name the reports of all shards"
        )
    if difference := _find_lack(files):
        hint = "run the shard again; a report that was cut, or is of apply --resume, lacks nodes"
        yield UsageError.of("shards-incomplete", difference, hint)


def _find_difference(one: RunFile | PartFile, other: RunFile | PartFile) -> str | None:
    """Return what two reports of one rollout would have in common, and these do not."""
    facts = {
        "the kinds of the runs are": (one.kind, other.kind),
        "the numbers of shards are": (one.shard and one.shard.count, other.shard and other.shard.count),
        "their canaries are": (one.after or "none", other.after or "none"),
        "the inventories have different hosts:": (one.inventory, other.inventory),
        "--limit selected different nodes:": (one.fleet, other.fleet),
    }
    for name, (here, there) in facts.items():
        if here != there:
            return f"{name} {_describe(here)} and {_describe(there)}"
    return None


def _describe(fact: object) -> str:
    nodes, digest = getattr(fact, "nodes", None), getattr(fact, "digest", "")
    return str(fact) if nodes is None else f"{nodes} ({digest[:12]})"


def _list_overlaps(files: Sequence[RunFile | PartFile]) -> Iterator[UsageError]:
    of_shard: dict[int, str] = {}
    for file in files:
        if other := of_shard.get(_get_index(file)):
            message = f"{other} and {file.path} are both reports of shard {file.shard}"
            yield UsageError.of("shards-overlap", message, "keep the newer one")
        of_shard[_get_index(file)] = file.path
    twice = [name for name, number in Counter(_list_names(files)).items() if number > 1]
    if twice:
        message = f"nodes are in two reports: {', '.join(twice)}"
        yield UsageError.of("shards-overlap", message, "the inventory changed meanwhile; run all shards again")


def _find_lack(files: Sequence[RunFile | PartFile]) -> str | None:
    """Return why the reports do not have exactly the nodes of the fleet."""
    found, fleet = describe_fleet(_list_names(files)), files[0].fleet
    if fleet is None or found == fleet:
        return None
    if found.nodes == fleet.nodes:
        return "the reports have other nodes than the fleet"
    return f"the reports have {found.nodes} nodes, and the fleet has {fleet.nodes}"


def _list_names(files: Sequence[RunFile | PartFile]) -> list[str]:
    return [name for file in files for name in file.names]


def _get_index(file: RunFile | PartFile) -> int:
    return file.shard.index if file.shard else 0
