"""Sources that Ansible cannot parse are reported with file, line and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.inventory.loading import refusal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.inventory.loading import Write


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("[kube_node]\na\nb surplus\nc\n", 3),
            ("[kube_node\na\n", 1),
            ("a\n[kube node]\nb\n", 2),
            ("a\n[b:sons]\n", 2),
            ("a\n\n[b:children]\nc\n", 3),
            ("a\n[b:vars]\nx=1\n", 2),
            ("[a]\nb\n[a:vars]\nnonsense\n", 4),
            ("a x='open\n", 1),
            ("a\nb[1:999999999]\n", 2),
            ("a[1:999][1:999]\n", 1),
        ],
    )
    def test_an_ini_file_that_cannot_be_parsed(self, write: Write, text: str, line: int) -> None:
        path = write("hosts", text)

        problem = refusal(path)

        assert problem.code == "inventory-unparsable"
        assert problem.message.startswith(f"{path}:{line}: ")
        assert "[group]" in problem.hint

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("all:\n  hosts:\n    a: {b: [}\n", ":3: "),
            ("all:\n  hosts:\n\ta:\n", ":3: "),
            ("- a\n- b\n", ": "),
            ("all:\n  hosts: [a, b]\n", ": "),
            ("all:\n  hosts:\n    a[001:99999999999]:\n", ": "),
        ],
    )
    def test_a_yaml_file_that_cannot_be_parsed(self, write: Write, text: str, line: str) -> None:
        path = write("hosts.yml", text)

        problem = refusal(path)

        assert problem.code == "inventory-unparsable"
        assert problem.message.startswith(path + line)
        assert "YAML" in problem.hint

    def test_a_broken_file_in_a_directory_is_not_ignored(self, write: Write, tmp_path: Path) -> None:
        write("site/good", "a\n")
        bad = write("site/zbad.yml", "all: [\n")

        assert refusal(str(tmp_path / "site")).message.startswith(bad)

    def test_an_error_in_variables_names_their_file(self, write: Write) -> None:
        hosts = write("hosts", "a\n")
        bad = write("group_vars/all.yml", "x: [\n")

        assert bad in refusal(hosts).message

    @pytest.mark.parametrize("line", ["a ansible_password='geheim", "a ansible_password=ge heim"])
    def test_a_password_on_a_bad_line_is_not_shown(self, write: Write, line: str) -> None:
        assert "heim" not in str(refusal(write("hosts", line + "\n")))


class TestScriptsAndPlugins:
    def script(self, folder: Path, text: str) -> str:
        file = folder / "cloud"
        file.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        file.chmod(0o755)
        return str(file)

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("echo fetching; echo no credentials for the cloud >&2; exit 3", "code 3: no credentials for the cloud"),
            ("echo geheim is no JSON", "could not be parsed as JSON"),
            ('echo \'{"a": {"hosts": "x"}}\'', "hosts"),
        ],
    )
    def test_a_script_that_fails_is_reported_with_its_last_output(
        self, write: Write, tmp_path: Path, text: str, part: str
    ) -> None:
        script = self.script(tmp_path, text)

        problem = refusal(write("hosts.yml", "all:\n  hosts:\n    a:\n"), script)

        assert problem.code == "inventory-unparsable"
        assert problem.message.startswith(f"{script}: ")
        assert part in problem.message
        assert "geheim" not in str(problem)

    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("plugin: ansible.builtin.constructed\nstrict: true\ncompose: {x: nowhere.y}\n", "'nowhere' is undefined"),
            ("plugin: no.such.plugin\n", "no.such.plugin"),
        ],
    )
    def test_a_plugin_that_fails_is_reported_with_its_reason(self, write: Write, text: str, part: str) -> None:
        problem = refusal(write("hosts.yml", "all:\n  hosts:\n    a:\n"), write("zz.yml", text))

        assert problem.code == "inventory-unparsable"
        assert part in problem.message
