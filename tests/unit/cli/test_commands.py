"""What a user sees of each command that needs no node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Runner

DROP_IN = "etc/systemd/system/docker.service.d/docker-options.conf"
GUIDE = '[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry=192.168.0.99"\n'


def test_render_prints_the_drop_in_of_the_guide_and_nothing_else(run: Runner) -> None:
    ran = run("render", "--registry", "192.168.0.99")
    assert (ran.rc, ran.out, ran.err) == (0, GUIDE, "")


def test_render_takes_several_registries_from_the_file(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "harbor-agent.yaml").write_text("registries: [a.lan:5000, http://b.lan, https://c.lan]\n")
    expected = '[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry=a.lan:5000 --insecure-registry=b.lan"\n'
    assert run("render").out == expected


def test_render_of_a_tree_prints_the_file_as_it_would_be(run: Runner, tree: Path) -> None:
    (tree / "etc/default").mkdir()
    (tree / "etc/default/docker").write_text("# mine\nDOCKER_OPTS=--mtu=1400\n")
    ran = run("render", "--root", str(tree), "--registry", "192.168.0.99")
    assert (ran.rc, ran.out) == (0, "# mine\nDOCKER_OPTS=--mtu=1400 --insecure-registry=192.168.0.99\n")
    assert "/etc/default/docker" in ran.err


def test_render_refuses_options_that_need_a_tree(run: Runner) -> None:
    assert run("render", "--registry", "h", "--route", "daemon-json").rc == 2


def test_plan_of_a_tree_is_a_valid_document_and_changes_nothing(run: Runner, tree: Path) -> None:
    ran = run("plan", "--root", str(tree), "--registry", "192.168.0.99", "-o", "json", "--exit-code")
    document = ran.document()
    assert ran.rc == 3
    assert document["summary"] == {
        "change": 1, "unchanged": 0, "refused": 0, "unreachable": 0, "failed": 0, "skipped": 0,
    }  # fmt: skip
    (node,) = document["nodes"]  # type: ignore[misc]
    (file,) = node["files"]
    assert (node["route"], node["action"]) == ("drop-in", "restart")
    assert node["activation"] == {"runtime": "docker", "unit": "docker.service", "action": "restart"}
    assert (file["path"], file["before"], file["after"]["text"]) == (f"/{DROP_IN}", None, GUIDE)
    assert not (tree / DROP_IN).exists()


def test_apply_to_a_tree_then_plan_is_empty_then_absent_leaves_no_trace(run: Runner, tree: Path) -> None:
    common = ("--root", str(tree), "--registry", "192.168.0.99")
    before = sorted(p.relative_to(tree) for p in tree.rglob("*") if p.is_file())
    assert run("apply", *common, "--yes").rc == 0
    assert (tree / DROP_IN).read_text() == GUIDE
    assert run("plan", *common, "--exit-code").rc == 0
    assert run("apply", *common, "--absent", "--yes").rc == 0
    assert run("plan", *common, "--absent", "--exit-code").rc == 0
    left = sorted(p.relative_to(tree) for p in tree.rglob("*") if p.is_file())
    assert left in (before, sorted([*before, Path(DROP_IN)]))
    if (tree / DROP_IN).exists():
        assert "192.168.0.99" not in (tree / DROP_IN).read_text()


def test_apply_without_a_terminal_and_without_yes_changes_nothing(run: Runner, tree: Path) -> None:
    ran = run("apply", "--root", str(tree), "--registry", "192.168.0.99", "-o", "json")
    assert ran.rc == 7
    assert ran.document()["error"]["code"] == "not-confirmed"  # type: ignore[index]
    assert not (tree / DROP_IN).exists()
    assert "--yes" in ran.err


def test_the_last_line_sums_up_and_a_pipe_gets_no_colours(run: Runner, tree: Path) -> None:
    ran = run("plan", "--root", str(tree), "--registry", "192.168.0.99")
    assert ran.out.splitlines()[-1] == "Plan: 1 to change (1 restart)"
    assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("plan", "--registry", "h"), "inventory-missing"),
        (("plan", "--root", "/nowhere", "--registry", "h"), "root-missing"),
        (("plan", "--root", "/", "--registry", "http://h/path"), "registry-address-invalid"),
        (("plan", "--root", "/"), "registry-missing"),
        (("plan", "--root", "/", "--absent"), "flags-ambiguous"),
        (("plan", "-c", "missing.yaml", "--root", "/", "--registry", "h"), "configuration-missing"),
        (("plan", "-i", "missing.ini", "--registry", "h"), "inventory-missing"),
        (("apply", "--root", "/", "--registry", "h", "--verify-image", "h/library/pause:3.9"), "configuration-invalid"),
        (("apply", "--root", "/", "--registry", "h", "--verify-image", "library/pause 3.9"), "configuration-invalid"),
        (("verify", "-i", "127.0.0.1:1,", "--registry", "h", "--login"), "credentials-missing"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_so_in_json_too(run: Runner, arguments: tuple[str, ...], code: str) -> None:
    ran = run(*arguments, "-o", "json")
    assert ran.rc == 2
    assert ran.document()["error"]["code"] == code  # type: ignore[index]
    assert "error: " in ran.err
    assert "  -> " in ran.err


@pytest.mark.parametrize("wrong", [("plan", "--bogus"), ("nonsense",), ("plan", "--route", "sideways")])
def test_a_command_line_that_cannot_be_read_is_said_in_json_too(run: Runner, wrong: tuple[str, ...]) -> None:
    ran = run(*wrong, "-o", "json")
    assert ran.rc == 2
    assert ran.document()["error"]["code"] == "usage"  # type: ignore[index]
    assert "Usage: " in ran.err
    assert run(*wrong).out == ""


@pytest.mark.parametrize("locale", ["C", "POSIX", "zh_CN.GBK"])
def test_no_locale_makes_it_crash(run: Runner, tree: Path, locale: str) -> None:
    (tree / "etc/default").mkdir()
    (tree / "etc/default/docker").write_text("# 中文 ünd äöü\nDOCKER_OPTS=--mtu=1400\n", encoding="utf-8")
    encoding = {"zh_CN.GBK": "gbk"}.get(locale, "ascii")
    arguments = ("plan", "--root", str(tree), "--registry", "192.168.0.99")
    ran = run(*arguments, LC_ALL=locale, PYTHONIOENCODING=encoding, PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    assert ran.rc == 0
    assert "/etc/default/docker" in ran.out


def test_secret_render_is_what_kubesphere_s_console_reads(run: Runner) -> None:
    ran = run(
        "secret", "render", "--registry", "192.168.0.99", "--username", "robot$k8s", "--password-stdin",
        "-n", "demo", "--email", "ops@example.org", stdin="p$'\"w\n",
    )  # fmt: skip
    assert ran.rc == 0
    assert 'secret.kubesphere.io/force-insecure: "true"' in ran.out.replace("'true'", '"true"')
    assert "namespace: demo" in ran.out
    assert "p$'" not in ran.err


@pytest.mark.parametrize("names", [("-n", "Team_A"), ("-n", "demo", "--secret-name", "harbor pull")])
def test_secret_render_refuses_names_that_no_api_server_accepts(run: Runner, names: tuple[str, ...]) -> None:
    login = ("--registry", "192.168.0.99", "--username", "robot", "--password-stdin")
    ran = run("secret", "render", *login, *names, stdin="secret-word")
    assert (ran.rc, ran.out) == (2, "")
    assert "is not a valid Kubernetes name" in ran.err


@pytest.mark.parametrize(
    "option", [("--service-account", "a"), ("--kubeconfig", "f"), ("--context", "c"), ("--force-conflicts",)]
)
def test_secret_render_takes_no_option_of_a_cluster(run: Runner, option: tuple[str, ...]) -> None:
    login = ("--registry", "192.168.0.99", "--username", "robot", "--password-stdin")
    ran = run("secret", "render", *login, *option, stdin="secret-word")
    assert (ran.rc, ran.out) == (2, "")
    assert "No such option" in ran.err


def test_without_a_command_the_help_is_shown(run: Runner) -> None:
    ran = run()
    assert ran.rc == 2
    assert "Usage: " in ran.err
    assert "Traceback" not in ran.err


def test_help_names_every_command(run: Runner) -> None:
    ran = run("--help")
    assert ran.rc == 0
    for command in ("render", "plan", "apply", "verify", "secret"):
        assert f"\n  {command} " in ran.out
