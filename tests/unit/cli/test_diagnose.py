"""diagnose as a user runs it: its arguments, its formats, its exit codes; tests/cluster has pods, tests/e2e nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Runner

TEXT = 'Error response from daemon: Get "https://192.168.0.99/v2/": http: server gave HTTP response to HTTPS client'
DOWN = 'Error response from daemon: Get "https://h.lan/v2/": dial tcp 10.0.0.1:443: connect: connection refused'


def test_a_message_has_cause_registry_command_and_page(run: Runner) -> None:
    ran = run("diagnose", "--message", TEXT)
    assert ran.rc == 1
    assert "[pull-insecure-refused]" in ran.out
    assert "harbor-agent plan -i INVENTORY --registry 192.168.0.99 --limit NODE" in ran.out
    assert f"seen: {TEXT}" in ran.out
    assert "harbor-agent explain pull-insecure-refused" in ran.err


def test_standard_input_as_a_document(run: Runner) -> None:
    ran = run(
        "diagnose", "--message", "-", "-o", "json", stdin=f"$ docker pull 192.168.0.99/library/pause:3.9\n{TEXT}\n"
    )
    document = ran.document()
    (found,) = document["diagnoses"]  # type: ignore[misc]
    assert (ran.rc, document["exit_code"], document["source"]) == (1, 1, "message")
    assert (found["code"], found["registry"]) == ("pull-insecure-refused", "192.168.0.99")
    assert found["image"] == "192.168.0.99/library/pause:3.9"


def test_the_settings_say_that_a_registry_speaks_plain_http(run: Runner) -> None:
    assert "[pull-unreachable]" in run("diagnose", "--message", DOWN).out
    assert "[pull-insecure-refused]" in run("diagnose", "--message", DOWN, "--registry", "h.lan").out
    assert "[pull-unreachable]" in run("diagnose", "--message", DOWN, "--registry", "https://h.lan").out


@pytest.mark.parametrize(
    ("output", "words"), [("markdown", "pull-insecure-refused"), ("junit", "<failure"), ("html", "<html")]
)
def test_reports(run: Runner, output: str, words: str) -> None:
    ran = run("diagnose", "--message", TEXT, "-o", output)
    assert ran.rc == 1
    assert words in ran.out


def test_what_is_not_recognised(run: Runner) -> None:
    ran = run("diagnose", "--message", "bash: docker: command not found")
    assert ran.rc == 1
    assert "[diagnosis-unclear]" in ran.out
    assert "command not found" in ran.out


def test_in_chinese(run: Runner) -> None:
    ran = run("diagnose", "--message", TEXT, "--lang", "zh", PYTHONUTF8="1")
    assert ran.rc == 1
    assert "节点不信任 192.168.0.99" in ran.out


def test_an_image_on_nodes_that_do_not_answer(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "inventory.ini").write_text("node1 ansible_host=127.0.0.1 ansible_port=1\n", encoding="utf-8")
    (tmp_path / "harbor-agent.yaml").write_text("registries: [{address: 'https://127.0.0.1:2'}]\n", encoding="utf-8")
    ran = run("diagnose", "127.0.0.1:2/shop/web", "-i", "inventory.ini", "-o", "json")
    (found,) = ran.document()["diagnoses"]  # type: ignore[misc]
    assert ran.rc == 4
    assert (found["node"], found["status"], found["code"]) == ("node1", "unclear", "ssh-refused")
    assert (found["image"], found["registry"]) == ("127.0.0.1:2/shop/web:latest", "127.0.0.1:2")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("web", "--message", TEXT),
        ("--message", TEXT, "-n", "demo"),
        ("--message", " "),
        ("demo/web", "-n", "shop"),
        ("h.lan/shop/web:1", "-n", "demo"),
        ("h.lan/shop/web:1", "--registry", "other.lan", "-i", "n1,"),
        ("Web", "-n", "demo"),
    ],
)
def test_what_cannot_be_meant_is_a_mistake(run: Runner, arguments: tuple[str, ...]) -> None:
    assert run("diagnose", *arguments).rc == 2
