"""workloads annotate as a user runs it: streams, files in place, refusals, exit codes."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Runner

ROOT = Path(__file__).resolve().parents[3]
POD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web  # mine\nspec:\n  containers:\n  - name: web\n"
DONE = (
    "apiVersion: v1\nkind: Pod\nmetadata:\n"
    '  annotations:\n    kubesphere.io/imagepullsecrets: \'{"web":"pull"}\'\n'
    "  name: web  # mine\nspec:\n  imagePullSecrets:\n  - name: pull\n  containers:\n  - name: web\n"
)
TEMPLATE = "apiVersion: v1\nkind: Pod\nmetadata: {{ include .x }}\n"
ANNOTATE = ("workloads", "annotate", "--secret", "pull")


def test_from_stream_to_stream_with_a_report_on_standard_error(run: Runner) -> None:
    ran = run(*ANNOTATE, "-", stdin=POD)
    assert (ran.rc, ran.out) == (0, DONE)
    assert ran.err == "standard input line 1: Pod web: secret added to web\nFiles: 1 with changes\n"
    again = run(*ANNOTATE, "-", stdin=DONE)
    assert (again.rc, again.out) == (0, DONE)
    assert again.err == "standard input line 1: Pod web: unchanged\nFiles: 1 unchanged\n"


def test_bytes_pass_through_whatever_the_locale(run: Runner) -> None:
    text = f"# grün\r\n{POD}".replace("\n", "\r\n").replace("\r\r", "\r")
    assert run(*ANNOTATE, "-", stdin=text, LC_ALL="C", PYTHONUTF8="0").out.startswith("# grün\r\napiVersion: v1\r\n")


def test_several_files_are_one_stream_of_documents(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD.removesuffix("\n"))
    (tmp_path / "b.yaml").write_text(f"\ufeff---\n{POD}")
    (tmp_path / "c.json").write_text('{"a": 1}')
    ran = run(*ANNOTATE, "a.yaml", "b.yaml", "c.json")
    assert (ran.rc, ran.out) == (0, f'{DONE}---\n{DONE}---\n{{"a": 1}}')
    assert "c.json: contains no workload with containers" in ran.err


def test_diff_shows_the_change_and_writes_nothing(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    ran = run(*ANNOTATE, "--diff", "a.yaml")
    assert ran.rc == 0
    assert [line for line in ran.out.splitlines() if line.startswith("+ ")] == [
        "+  annotations:",
        '+    kubesphere.io/imagepullsecrets: \'{"web":"pull"}\'',
        "+  imagePullSecrets:",
        "+  - name: pull",
    ]
    assert (tmp_path / "a.yaml").read_text() == POD


class TestInPlace:
    def test_the_file_keeps_its_mode_owner_and_attributes(self, run: Runner, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_text(POD)
        file.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(file, 1234, 2345)
        before = file.stat()
        ran = run(*ANNOTATE, "--in-place", "a.yaml")
        assert (ran.rc, ran.out, file.read_text()) == (0, "", DONE)
        after = file.stat()
        assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (0o640, before.st_uid, before.st_gid)
        assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]

    def test_a_file_that_is_right_is_not_written(self, run: Runner, tmp_path: Path) -> None:
        file = tmp_path / "a.yaml"
        file.write_text(DONE)
        before = file.stat()
        assert run(*ANNOTATE, "--in-place", "a.yaml").rc == 0
        assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_a_file_that_is_refused_does_not_stop_the_others(self, run: Runner, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(TEMPLATE)
        (tmp_path / "b.yaml").write_text(POD)
        ran = run(*ANNOTATE, "--in-place", "a.yaml", "b.yaml")
        assert ran.rc == 5
        assert "a.yaml line 3" in ran.err
        assert "manifest-invalid" in ran.err
        assert (tmp_path / "a.yaml").read_text() == TEMPLATE
        assert (tmp_path / "b.yaml").read_text() == DONE

    def test_a_link_is_refused_before_anything_is_written(self, run: Runner, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(POD)
        (tmp_path / "link.yaml").symlink_to("a.yaml")
        ran = run(*ANNOTATE, "--in-place", "a.yaml", "link.yaml")
        assert ran.rc == 2
        assert "symbolic link" in ran.err
        assert (tmp_path / "a.yaml").read_text() == POD

    def test_a_file_that_cannot_be_written_stays_and_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text(POD)
        command = [sys.executable, "-m", "harbor_agent.cli", *ANNOTATE, "--in-place", "a.yaml"]
        ran = subprocess.run(
            ["prlimit", "--fsize=64", *command],  # as a disk that is full
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT / "agent"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 1
        assert "cannot write a.yaml: file too large [manifest-unwritable]" in ran.stderr
        assert (tmp_path / "a.yaml").read_text() == POD
        assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


def test_where_one_is_refused_nothing_reaches_the_stream(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    ran = run(*ANNOTATE, "a.yaml", "-", stdin=TEMPLATE)
    assert (ran.rc, ran.out) == (5, "")
    assert "standard input line 3: '{{' begins a template placeholder" in ran.err


@pytest.mark.parametrize("content", [b"a: \xff\n", b"\xff\xfea\x00"])
def test_what_is_no_text_is_refused(run: Runner, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.yaml").write_bytes(content)
    ran = run(*ANNOTATE, "a.yaml")
    assert ran.rc == 5
    assert "a.yaml line 1: it is not UTF-8" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--in-place", "-"), "flags-ambiguous"),
        (("--in-place", "--diff", "a.yaml"), "flags-ambiguous"),
        (("-", "-"), "flags-ambiguous"),
        (("missing.yaml",), "manifest-unreadable"),
        ((".",), "manifest-unreadable"),
        (("--registry", "h/p", "a.yaml"), "registry-address-invalid"),
        (("--secret", "Harbor_Pull", "a.yaml"), "kubernetes-name-invalid"),
        ((), "usage"),
    ],
)
def test_a_command_that_cannot_be_meant_ends_with_2(
    run: Runner, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    ran = run(*ANNOTATE, *arguments, "-o", "json")
    assert ran.rc == 2
    assert ran.document()["error"]["code"] == code  # type: ignore[index]


def test_json_has_the_outcome_of_each_file(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(POD)
    (tmp_path / "b.yaml").write_text(TEMPLATE)
    ran = run(*ANNOTATE, "a.yaml", "b.yaml", "-o", "json")
    document = ran.document()
    assert (ran.rc, document["exit_code"]) == (5, 5)
    assert document["summary"] == {"unchanged": 0, "change": 1, "changed": 0, "refused": 1, "failed": 0}
    good, bad = document["files"]  # type: ignore[misc]
    assert "+  - name: pull" in good["diff"]
    (one,) = good["workloads"]
    assert (one["line"], one["kind"], one["name"], one["pull_secrets"], one["containers"]) == (
        *(1, "Pod", "web", ["pull"], ["web"]),
    )
    assert (bad["status"], bad["code"]) == ("refused", "manifest-invalid")
    assert json.loads(run(*ANNOTATE, "--in-place", "a.yaml", "-o", "json").out)["summary"]["changed"] == 1
    assert (tmp_path / "a.yaml").read_text() == DONE
