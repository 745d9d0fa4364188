"""What must hold on every node after every fault: exactly the old or exactly the new configuration, and no secret."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.e2e.site import PULLER, Site
from tests.lab.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from tests.e2e.site import Ended
    from tests.lab.files import Files
    from tests.lab.node import LabNode

Which = Literal["old", "new"]

_STATE = "/var/lib/harbor-agent"
_KEPT = 10
_LOOK = """\
echo "state $(systemctl show -p ActiveState --value docker)"
tr '\\0' '\\n' <"/proc/$(systemctl show -p MainPID --value docker)/cmdline" | sed 's/^/argument /'
timeout 10 docker info --format '{{json .RegistryConfig}}' | sed 's/^/live /'
timeout 10 docker ps --format 'container {{.Names}}'
"""
_AT_REST = (
    "docker info >/dev/null && systemctl show -p ActiveState --value harbor-agent-transaction | grep -qx inactive "
    "&& [ ! -e /etc/systemd/system/harbor-agent-recovery.service ]"
)
_DESCRIBE = f"""\
systemctl list-jobs; systemctl --failed; timeout 10 docker info | head -n 3; ls /etc/systemd/system
for transaction in {_STATE}/transactions/*; do tail -n 4 "$transaction/journal" "$transaction/log"; done
journalctl -b -n 60 -u docker -u containerd -u 'harbor-agent-*' -t harbor-agent
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What is in force on a node: the daemon's state, arguments and list, every file of /etc, what runs."""

    state: str
    arguments: tuple[str, ...]
    live: frozenset[str]
    files: Files
    containers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A node before the fault, and what its plan says that it will be."""

    node: LabNode
    before: Configuration
    entry: str
    action: str
    files: Mapping[str, str]
    announced: frozenset[str]
    kept: int


def look(node: LabNode) -> Configuration:
    """Return what is in force on a node now."""
    facts: dict[str, list[str]] = {"state": [], "argument": [], "live": [], "container": []}
    for line in node.run(_LOOK).stdout.splitlines():
        keyword, _, value = line.partition(" ")
        facts[keyword].append(value)
    live = json.loads(facts["live"][0]) if facts["live"] else {}
    insecure = {name for name, index in live.get("IndexConfigs", {}).items() if not index["Secure"]}
    return Configuration(
        state=" ".join(facts["state"]),
        arguments=tuple(facts["argument"]),
        live=frozenset(insecure | set(live.get("InsecureRegistryCIDRs") or ())),
        files=Site.files(node),
        containers=frozenset(facts["container"]),
    )


def expect(plan: Ended, entry: str, nodes: Iterable[LabNode]) -> dict[str, Expected]:
    """Note what is in force on the nodes, and what `plan` (of `plan -o json`, for `entry`) announces for them."""

    def expected(node: LabNode) -> Expected:
        planned = plan.node(node.name)
        assert planned["status"] == "change", planned
        return Expected(
            node=node,
            before=look(node),
            entry=entry,
            action=planned["action"],
            files={file["path"]: file["after"]["sha256"] for file in planned["files"]},
            announced=frozenset(container["name"] for container in planned["containers_stopped"]),
            kept=len(_last_words(node)),
        )

    with ThreadPoolExecutor() as pool:
        return {was.node.name: was for was in pool.map(expected, nodes)}


def assert_invariants(
    site: Site, expected: Mapping[str, Expected], *runs: Ended, settle: float = 60
) -> dict[str, Which]:
    """Assert A, B, C, L and S on the nodes of `expected`; return for each whether it is the old or the new one.

    Nodes that are still busy have `settle` seconds: they end by themselves. `runs` are searched for the secret.
    """

    def found(was: Expected) -> Which:
        _assert_at_rest(was.node, settle)
        which = _which(was)
        _assert_finished(was, which)
        assert_no_secret_on(was.node)
        return which

    assert_no_secret_here(site, runs)
    with ThreadPoolExecutor() as pool:
        return dict(zip(expected, pool.map(found, expected.values()), strict=True))


def assert_reported(ended: Ended, name: str, outcome: str, *words: str) -> None:
    """Assert R: the report names the node, what became of it, a code, and a reason in which `words` occur."""
    result = ended.node(name)
    assert result["outcome"] == outcome, result
    if outcome != "changed":
        assert result["code"], result
        assert all(word in result["reason"] for word in words), result


def assert_backed_up(transaction: Path, planned: Collection[str], before: Iterable[tuple[str, str]]) -> None:
    """Assert B in the middle of a transaction: what each change replaces is kept, or is known to be absent.

    `planned` are the paths of the changes, `before` is what `Site.files` found before them.
    """
    plan = (transaction / "plan").read_text().splitlines()
    changes = [line.split() for line in plan if line.startswith("change ")]
    assert {change[-1] for change in changes} == set(planned)
    old = dict(fact for fact in before if len(fact[1]) == 64)
    for _, number, kind, *facts in changes:
        path = facts[-1]
        backup = transaction / f"before.{number}"
        assert backup.exists() == (path in old), path
        assert kind == ("regular" if path in old else "absent")
        if path in old:
            assert hashlib.sha256(backup.read_bytes()).hexdigest() == old[path]


def _assert_at_rest(node: LabNode, settle: float) -> None:
    """L: nothing runs any more, and nothing is left armed for the next boot."""
    try:
        wait_until(lambda: node.succeeds(_AT_REST), f"{node.name} answers and is at rest", seconds=settle)
    except TimeoutError as error:
        seen = node.run(_DESCRIBE, check=False)
        error.add_note(
            f"{seen.stdout}\n{seen.stderr}\n{(node.folder / 'console.log').read_text(errors='replace')[-2000:]}"
        )
        raise


def _which(was: Expected) -> Which:
    """A and C."""
    seen = [look(was.node)]

    def has_back_what_was_not_announced() -> bool:
        if was.before.containers - seen[-1].containers <= was.announced:
            return True
        seen.append(look(was.node))
        return False

    wait_until(has_back_what_was_not_announced, f"{was.node.name} has lost no more than was announced", seconds=30)
    now = seen[-1]
    assert now.state == "active"
    changed = {path for path, _ in now.files ^ was.before.files}
    if not changed:
        assert (now.arguments, now.live) == (was.before.arguments, was.before.live)
        return "old"
    sums = dict(fact for fact in now.files if len(fact[1]) == 64)
    assert changed == set(was.files), sorted(now.files ^ was.before.files)
    assert {path: sums.get(path) for path in was.files} == was.files
    assert now.live == was.before.live | {was.entry}
    added = [f"--insecure-registry={was.entry}"] if was.action == "restart" else []
    assert sorted(now.arguments) == sorted([*was.before.arguments, *added])
    return "new"


def _assert_finished(was: Expected, which: Which) -> None:
    """What the node keeps is bounded, says how each transaction ended, and no staged file lies about."""
    words = _last_words(was.node)
    # One that went down before it changed anything keeps its last word; nothing is to be done about it.
    unharmed = {"begun", "preflight", "prepared"}
    assert set(words) <= {"committing", "committed", "rolled_back", "refused", *unharmed}, words
    # Five that hold a backup and five that do not; one that was broken off is cleared away after by the next.
    assert len(words) <= max(_KEPT, was.kept + 1)
    assert which == "old" or {"committing", "committed"} & set(words)
    left = "find /etc -xdev -name '.*harbor-agent*'; [ ! -e {0} ] || stat -c %a {0}"
    assert was.node.run(left.format(_STATE)).stdout in {"", "700\n"}


def _last_words(node: LabNode) -> list[str]:
    """The last word of each transaction that the node keeps."""
    every = f"for j in {_STATE}/transactions/*/journal; do [ ! -e $j ] || tail -n 1 $j; done"
    return [line.split()[0] for line in node.run(every).stdout.splitlines() if line]


def assert_no_secret_on(node: LabNode) -> None:
    """S on a node: its files, its journal, the arguments of what runs there."""
    # Written as a pattern that does not match itself: this command is among the arguments of what runs there.
    secret = f"'{PULLER.password[:-1]}[{PULLER.password[-1]}]'"
    told = node.run(
        f"grep -rls -D skip -e {secret} /dev/shm /etc /home /root /run /tmp /var/lib /var/tmp; "
        f"journalctl --no-pager -o cat | grep -e {secret}; "
        f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -e {secret}",
        check=False,
    )
    assert told.stdout == ""


def assert_no_secret_here(site: Site, runs: Iterable[Ended]) -> None:
    """S on the controller: what was printed, what is kept in the home, the arguments of what runs."""
    for ended in runs:
        assert PULLER.password not in ended.stdout + ended.stderr
    for file in site.lab.home.rglob("*"):
        assert not file.is_file() or PULLER.password.encode() not in file.read_bytes(), file
