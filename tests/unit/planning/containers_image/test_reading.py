"""Which tables of registries.conf count: what podman makes of these files (docs/reference/rules.md)."""

from __future__ import annotations

import pytest

from harbor_agent.model.plan import Refusal
from tests.unit.planning.containers_image.nodes import FOLDER, MAIN, OURS, crio_node, node
from tests.unit.planning.decisions import HARBOR, decide, want

OWN = OURS.decode()
PLAIN = '[[registry]]\nlocation = "{}"\ninsecure = {}\n'
V1_EMPTY = "[registries.search]\nregistries = []\n"

# name: files, registry, "trusted", "plan", or the code of the refusal
CASES: dict[str, tuple[dict[str, str], str, str]] = {
    "a later file replaces the whole table": (
        {MAIN: OWN, f"{FOLDER}/a.conf": PLAIN.format(HARBOR, "false")},
        HARBOR,
        "plan",
    ),
    "drop-ins by name": (
        {f"{FOLDER}/b.conf": OWN, f"{FOLDER}/a.conf": PLAIN.format(HARBOR, "false")},
        HARBOR,
        "trusted",
    ),
    "not a drop-in by its end": ({f"{FOLDER}/a.conf.bak": OWN}, HARBOR, "plan"),
    "not a drop-in below a folder": ({f"{FOLDER}/sub/a.conf": OWN}, HARBOR, "plan"),
    "the longest prefix": (
        {MAIN: PLAIN.format("h.lan", "true") + PLAIN.format("h.lan:5000", "false")},
        "h.lan:5000",
        "plan",
    ),
    "a prefix ends at a port": ({MAIN: PLAIN.format("h.lan", "true")}, "h.lan:5000", "trusted"),
    "a prefix does not end in a name": ({MAIN: PLAIN.format("h.la", "true")}, "h.lan", "plan"),
    "a wildcard covers hosts below": (
        {MAIN: '[[registry]]\nprefix = "*.lan"\ninsecure = true\n'},
        "a.b.lan",
        "trusted",
    ),
    "a wildcard with a location covers no place": (
        {MAIN: '[[registry]]\nprefix = "*.lan"\nlocation = "*.lan"\ninsecure = true\n'},
        "a.lan",
        "settings-would-change",
    ),
    "slashes at the end": ({MAIN: PLAIN.format(f"{HARBOR}//", "true")}, HARBOR, "trusted"),
    "the first of two tables in a file": (
        {
            MAIN: '[[registry]]\nprefix = "h.lan"\nlocation = "h.lan"\ninsecure = true\n'
            '[[registry]]\nprefix = "h.lan"\nlocation = "other.lan"\n'
        },
        "h.lan",
        "trusted",
    ),
    "a mirror without location": ({MAIN: f"{OWN}[[registry.mirror]]\ninsecure = true\n"}, HARBOR, "file-invalid"),
    "pull-from-mirror of a table": ({MAIN: f'{OWN}pull-from-mirror = "all"\n'}, HARBOR, "file-invalid"),
    "empty tables of version 1": ({MAIN: V1_EMPTY + OWN}, HARBOR, "trusted"),
    "version 1 with a registry": ({MAIN: V1_EMPTY.replace("[]", '["a.lan"]') + OWN}, HARBOR, "file-invalid"),
    "blocked and insecure": ({MAIN: f"{OWN}blocked = true\n"}, HARBOR, "registry-blocked"),
}


@pytest.mark.parametrize("name", CASES)
def test_files_mean_what_podman_makes_of_them(name: str) -> None:
    files, registry, wanted = CASES[name]
    decision = decide(node(files), want(registry))
    if isinstance(decision, Refusal):
        assert decision.problem.code == wanted
    else:
        assert ("trusted" if decision.is_empty else "plan") == wanted


def test_podman_5_rejects_tables_of_version_1_without_a_registry() -> None:
    decision = decide(node({MAIN: V1_EMPTY + OWN}, "5.4.2"))
    assert isinstance(decision, Refusal)
    assert "mixes" in decision.problem.message


def test_podman_5_accepts_a_byte_order_mark() -> None:
    assert decide(node({MAIN: f"\ufeff{OWN}"}, "5.4.2")).reason == f"{HARBOR} is already trusted"  # type: ignore[union-attr]


def test_the_last_list_of_crio_conf_counts() -> None:
    lists = {
        f"/etc/crio/crio.conf.d/{n}": f'[crio.image]\ninsecure_registries = ["{one}"]\n'
        for n, one in ((1, HARBOR), (2, "b.lan"))
    }
    decision = decide(crio_node(lists, "1.34.1"))
    assert not isinstance(decision, Refusal)
    assert not decision.is_empty
