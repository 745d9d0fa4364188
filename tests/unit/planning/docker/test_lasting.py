"""What does not last is said: files that a reboot loses, and lines that another systemd reads otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.planning.docker.nodes import DAEMON_JSON, DEBIAN_UNIT, FRAGMENT, HARBOR, PLAIN_UNIT, node
from tests.unit.planning.docker.plans import codes, plan

DEFAULTS = "/etc/default/docker"


def test_a_change_in_a_directory_that_a_reboot_empties_is_said() -> None:
    state = replace(node({FRAGMENT: PLAIN_UNIT}), volatile={"/etc": "overlay-in-memory", "/etc/docker": "tmpfs"})
    decision = plan(state)
    assert codes(decision) == ["file-volatile"]
    assert f"{DAEMON_JSON} does not outlast a reboot: /etc/docker is on tmpfs" in decision.warnings[0].message


def test_a_node_that_needs_no_change_is_not_warned() -> None:
    trusted = node({FRAGMENT: PLAIN_UNIT, DAEMON_JSON: f'{{"insecure-registries": ["{HARBOR}"]}}'})
    assert codes(plan(replace(trusted, volatile={"/etc": "tmpfs"}))) == []


@pytest.mark.parametrize("version", ["247", "252", "254", "257"])
def test_a_line_behind_a_comment_that_ends_in_a_backslash_is_said(version: str) -> None:
    text = "# flags \\\nDOCKER_OPTS=--log-level=error\n"
    state = node({FRAGMENT: DEBIAN_UNIT, DEFAULTS: text})
    decision = plan(replace(state, system=replace(state.system, systemd_version=version)))
    [warning] = [one for one in decision.warnings if one.code == "comment-continues"]
    assert f"{DEFAULTS} line 2: DOCKER_OPTS" in warning.message


def test_other_variables_and_plain_comments_are_not() -> None:
    text = "# a \\\nPATH=/bin\n# plain\nDOCKER_OPTS=\n"
    assert "comment-continues" not in codes(plan(node({FRAGMENT: DEBIAN_UNIT, DEFAULTS: text})))
