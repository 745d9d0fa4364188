"""Which file gets the registry, on nodes as they are found; the way back is byte for byte."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.planning.containers_image.nodes import FOLDER, MAIN, OURS, OWN, applied, crio_node, node, shown
from tests.unit.planning.decisions import HARBOR, planned, refused, unwant, want

SHORT_NAMES = 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "enforcing"\n'
V1 = """[registries.search]
registries = ['docker.io', 'quay.io']

[registries.insecure]
registries = ['registry.lan:5000']

[registries.block]
registries = []
"""
V1_ON_LINES = '[registries.insecure]\nregistries = [\n  "a.lan", # first\n  "b.lan"\n]\n'
V1_SEARCH = '[registries.search]\nregistries = ["docker.io"]\n'
V1_ADDED = '[registries.insecure]\nregistries = [\n  "192.168.0.99",\n]\n'
MIRRORED = '[[registry]]\nlocation = "192.168.0.99"\n\n[[registry.mirror]]\nlocation = "mirror.lan"\n'
PROJECT = '[[registry]]\r\n  prefix = "192.168.0.99/team"\r\n  location = "192.168.0.99/team"\r\n'

# name: files before, files that differ afterwards
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "nothing": ({}, {OWN: OURS.decode()}),
    "settings": ({MAIN: SHORT_NAMES}, {OWN: OURS.decode()}),
    "aliases": (
        {MAIN: SHORT_NAMES, f"{FOLDER}/shortnames.conf": '[aliases]\n  "debian" = "docker.io/library/debian"\n'},
        {OWN: OURS.decode()},
    ),
    "v1": ({MAIN: V1}, {MAIN: V1.replace("5000']", "5000', '192.168.0.99']")}),
    "v1 on lines": ({MAIN: V1_ON_LINES}, {MAIN: V1_ON_LINES.replace('"b.lan"', '"b.lan",\n  "192.168.0.99"')}),
    "v1 empty list": (
        {MAIN: V1.replace("['registry.lan:5000']", "[]")},
        {MAIN: V1.replace("['registry.lan:5000']", "['192.168.0.99']")},
    ),
    "v1 empty list on lines": (
        {MAIN: V1.replace("['registry.lan:5000']", "[ # none\n]")},
        {MAIN: V1.replace("['registry.lan:5000']", "['192.168.0.99' # none\n]")},
    ),
    "v1 without the list": (
        {MAIN: V1.replace("registries = ['registry.lan:5000']\n", "")},
        {MAIN: V1.replace("registries = ['registry.lan:5000']\n", "registries = [\n  '192.168.0.99'\n]\n")},
    ),
    "v1 without the table": ({MAIN: V1_SEARCH}, {MAIN: V1_SEARCH + "\n" + V1_ADDED}),
    "v1 without the last line end": ({MAIN: V1_SEARCH[:-1]}, {MAIN: V1_SEARCH + "\n" + V1_ADDED[:-1]}),
    "own table": ({MAIN: MIRRORED}, {MAIN: MIRRORED.replace("]]\n", "]]\ninsecure = true\n", 1)}),
    "says false": (
        {f"{FOLDER}/x.conf": MIRRORED.replace('99"\n', '99"\nInsecure = false # no\n')},
        {f"{FOLDER}/x.conf": MIRRORED.replace('99"\n', '99"\nInsecure = true  # no\n')},
    ),
    "a project's table": (
        {f"{FOLDER}/90-team.conf": PROJECT},
        {OWN: OURS.decode(), f"{FOLDER}/90-team.conf": PROJECT.replace("]]\r\n", "]]\r\n  insecure = true\r\n")},
    ),
    "the later table replaces ours": (
        {f"{FOLDER}/10.conf": OURS.decode(), f"{FOLDER}/90.conf": MIRRORED},
        {f"{FOLDER}/90.conf": MIRRORED.replace("]]\n", "]]\ninsecure = true\n", 1)},
    ),
    "a project that is trusted already": (
        {f"{FOLDER}/x.conf": PROJECT.replace("]]\r\n", "]]\r\ninsecure = true\r\n")},
        {OWN: OURS.decode()},
    ),
    "our name is taken": ({OWN: "# mine\n"}, {OWN: "# mine\n\n" + OURS.decode()}),
    "our name is taken by text without a line end": ({OWN: "# mine"}, {OWN: "# mine\n\n" + OURS.decode()[:-1]}),
    "our name is taken by an empty file": ({OWN: ""}, {OWN: OURS.decode()}),
}


@pytest.mark.parametrize("name", CASES)
def test_registry_gets_to_the_place_that_counts_and_back(name: str) -> None:
    before, changed = CASES[name]
    state = node(before)
    plan = planned(state)
    assert plan.activation.action.value == "none"
    after = applied(state, plan)
    assert shown(after) == {path: text.encode() for path, text in {**before, **changed}.items()}
    assert planned(after).is_empty
    undone = applied(after, planned(after, unwant(HARBOR)))
    assert shown(undone) == shown(state)
    assert planned(undone, unwant(HARBOR)).is_empty


def test_crio_reloads_unless_it_watches_the_folder_of_the_change() -> None:
    watching = {"/etc/crio/crio.conf": "[crio.image]\nauto_reload_registries = true\n", f"{FOLDER}/x.conf": ""}
    for files, version, action in (
        ({}, "1.36.3", "reload"),
        (watching, "1.36.3", "none"),
        (watching, "1.29.4", "reload"),
        ({**watching, MAIN: V1}, "1.36.3", "reload"),
        ({path: text for path, text in watching.items() if path != f"{FOLDER}/x.conf"}, "1.36.3", "reload"),
    ):
        assert planned(crio_node(files, version)).activation.action.value == action


@pytest.mark.parametrize(("version", "is_trusted"), [("1.34.1", True), ("1.35.0", False), ("1.36.3", False)])
def test_crio_before_1_35_trusts_the_list_of_crio_conf(version: str, *, is_trusted: bool) -> None:
    listed = {"/etc/crio/crio.conf.d/10.conf": '[crio.image]\ninsecure_registries = ["192.168.0.0/16"]\n'}
    plan = planned(crio_node(listed, version))
    assert plan.is_empty is is_trusted
    if is_trusted:
        assert refused(crio_node(listed, version), unwant(HARBOR)).problem.code == "removal-unclear"


BROKEN = {
    "syntax": ("x.conf", '[[registry]\nprefix = "docker.io"\n', "line 1"),
    "v1 drop-in": ("x.conf", "[registries.insecure]\nregistries = ['a.lan']\n", "version 2"),
    "scheme": ("x.conf", '\n[[registry]]\nlocation = "http://a.lan"\n', "line 2"),
    "no location": ("x.conf", '[[registry]]\nprefix = "a.lan"\n', "no location"),
    "wildcard": ("x.conf", '[[registry]]\nprefix = "*.lan:5000"\nlocation = "a.lan"\n', "*.example.com"),
    "location wildcard": ("x.conf", '[[registry]]\nlocation = "*.lan:5000"\n', "*.example.com"),
    "search path": ("x.conf", 'unqualified-search-registries = ["a.lan/team"]\n', "without a path"),
    "nothing": ("x.conf", "[[registry]]\ninsecure = true\n", "neither"),
    "type": ("x.conf", '[[registry]]\nlocation = "a.lan"\ninsecure = "true"\n', "wrong type"),
    "twice": (
        "x.conf",
        '[[registry]]\nlocation = "a.lan"\n[[registry]]\nlocation = "a.lan"\ninsecure = true\n',
        "line 3",
    ),
    "mark": ("x.conf", '\ufeff[[registry]]\nlocation = "a.lan"\n', "byte order mark"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_found_before_anything(name: str) -> None:
    base, text, words = BROKEN[name]
    problem = refused(node({f"{FOLDER}/{base}": text})).problem
    assert problem.code == "file-invalid"
    assert f"{FOLDER}/{base} line" in problem.message
    assert words in problem.message


def test_wildcard_with_a_path_is_fatal_in_version_1_too() -> None:
    problem = refused(node({MAIN: "[registries.block]\nregistries = ['*.lan/team']\n"})).problem
    assert (problem.code, "*.example.com" in problem.message) == ("file-invalid", True)


def test_empty_entry_is_fatal_in_version_1() -> None:
    problem = refused(node({MAIN: "[registries.insecure]\nregistries = ['']\n"})).problem
    assert (problem.code, "empty entry" in problem.message) == ("file-invalid", True)


def test_file_of_both_versions_is_refused() -> None:
    mixed = "unqualified-search-registries = ['docker.io']\n[registries.insecure]\nregistries = ['a.lan']\n"
    problem = refused(node({MAIN: mixed + "\n[[registry]]\nlocation = 'b.lan'\ninsecure = true\n"})).problem
    assert (problem.code, "mixes" in problem.message) == ("file-invalid", True)


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ('location = "192.168.0.99"\nblocked = true', "registry-blocked"),
        ('prefix = "192.168.0.99"\nlocation = "mirror.lan"', "settings-would-change"),
    ],
)
def test_registry_that_is_not_pulled_from_is_refused(table: str, code: str) -> None:
    assert refused(node({MAIN: f"[[registry]]\n{table}\n"})).problem.code == code


def test_node_of_the_machine_config_operator_is_refused() -> None:
    state = crio_node({MAIN: SHORT_NAMES, "/etc/machine-config-daemon/currentconfig": "{}"})
    problem = refused(state).problem
    assert problem.code == "file-managed"
    assert "oc edit image.config.openshift.io/cluster" in problem.hint


@pytest.mark.parametrize("prefix", ["*.lan", "harbor.lan"])
def test_wider_table_covers_a_registry_and_is_not_taken_from_others(prefix: str) -> None:
    state = node(
        {
            MAIN: f'[[registry]]\nprefix = "{prefix}"\nlocation = "{prefix}"\ninsecure = true\n'.replace(
                'location = "*.lan"\n', ""
            )
        }
    )
    assert planned(state, want("harbor.lan:5000")).is_empty
    assert refused(state, unwant("harbor.lan:5000")).problem.code == "removal-unclear"


def test_file_of_ours_that_was_edited_and_corrected_goes_with_the_registry() -> None:
    after = applied(node({}), planned(node({})))
    edited = replace(after.files[OWN], content=OURS.replace(b"true", b"false"))
    after = replace(after, files={**after.files, OWN: edited})
    corrected = applied(after, planned(after))
    assert planned(corrected).is_empty
    assert shown(applied(corrected, planned(corrected, unwant(HARBOR)))) == {}


def test_project_below_a_wider_table_is_undone_and_the_registry_stays_trusted() -> None:
    wide = '[[registry]]\nlocation = "harbor.lan"\ninsecure = true\n'
    state = node({MAIN: wide + '[[registry]]\nlocation = "harbor.lan:5000/team"\n'})
    after = applied(state, planned(state, want("harbor.lan:5000")))
    plan = planned(after, unwant("harbor.lan:5000"))
    assert shown(applied(after, plan)) == shown(state)
    assert [warning.code for warning in plan.warnings] == ["still-covered"]
    assert plan.activation.unexpected == ()


def test_wildcard_as_long_as_the_name_counts_and_refuses_the_node() -> None:
    problem = refused(node({MAIN: '[[registry]]\nprefix = "*.lan"\n'}), want("h.lan")).problem
    assert (problem.code, "'*.lan' in" in problem.message) == ("settings-would-change", True)


def test_file_in_the_home_of_root_replaces_those_of_the_system_for_podman() -> None:
    own = {"/root/.config/containers/registries.conf": "", f"{FOLDER}/x.conf": OURS.decode()}
    (change,) = planned(node(own)).changes
    assert change.path == f"/root/.config/containers/registries.conf.d/50-{HARBOR}.conf"
    assert planned(crio_node(own)).is_empty


def test_of_two_prefixes_of_one_length_the_first_of_the_sorted_ones_counts() -> None:
    blocked = '[[registry]]\nlocation = "a.lan"\nblocked = true\n'
    wildcard = '[[registry]]\nprefix = "*.lan"\ninsecure = true\n'
    assert planned(node({MAIN: blocked + wildcard}), want("a.lan")).is_empty
    assert planned(node({MAIN: blocked, f"{FOLDER}/x.conf": wildcard}), want("a.lan")).is_empty
