"""Inventories in the forms that operators have, and what is said of those that are wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.errors import ExitCode, UsageError
from harbor_agent.inventory.load import load_inventory

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.errors import Problem
    from harbor_agent.model.inventory import Node

    Write = Callable[[str, str], str]

ROOT = Path(__file__).parents[3]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file below the test's folder and return its path."""

    def write_file(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write_file


def names(nodes: list[Node]) -> list[str]:
    return [node.name for node in nodes]


def refusal(*sources: str, limit: str | None = None) -> Problem:
    with pytest.raises(UsageError) as caught:
        load_inventory(sources, limit=limit)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value.problem


class TestForms:
    def test_ini_with_ranges_children_and_variables(self, write: Write) -> None:
        hosts = write(
            "hosts",
            "[kube_control_plane]\nc1 ansible_host=10.0.0.1\n[kube_node]\nw[01:03]\n"
            "[cluster:children]\nkube_control_plane\nkube_node\n[cluster:vars]\nansible_user=ops\n",
        )

        nodes = load_inventory([hosts])

        assert names(nodes) == ["c1", "w01", "w02", "w03"]
        assert [node.address for node in nodes] == ["10.0.0.1", "w01", "w02", "w03"]
        assert {node.user for node in nodes} == {"ops"}
        assert set(nodes[0].groups) == {"kube_control_plane", "cluster"}

    def test_yaml(self, write: Write) -> None:
        hosts = write("hosts.yml", "all:\n  children:\n    kube_node:\n      hosts:\n        a: {ansible_port: 2222}\n")

        (node,) = load_inventory([hosts])

        assert (node.name, node.port, node.groups) == ("a", 2222, ("kube_node",))

    def test_a_list_of_hosts(self) -> None:
        nodes = load_inventory(["b,a:2222,"])

        assert [(node.name, node.port) for node in nodes] == [("b", None), ("a", 2222)]

    def test_a_directory_and_several_sources(self, write: Write, tmp_path: Path) -> None:
        write("site/01-first", "[kube_node]\na\n")
        write("site/02-second.yml", "kube_node:\n  hosts:\n    b:\n")
        write("site/group_vars/kube_node.yml", "ansible_user: ops\n")
        more = write("more", "[kube_node]\nc\n")

        nodes = load_inventory([str(tmp_path / "site"), more])

        assert [(node.name, node.user) for node in nodes] == [("a", "ops"), ("b", "ops"), ("c", "ops")]

    def test_variables_beside_the_inventory_and_templates(self, write: Write) -> None:
        hosts = write("hosts", "[kube_node]\na\nb\n")
        write("group_vars/all.yml", 'net: 10.1.2\nansible_host: "{{ net }}.{{ last }}"\nlast: 1\n')
        write("host_vars/b/main.yml", "last: 2\nharbor_registries: [harbor.lan]\n")

        first, second = load_inventory([hosts])

        assert (first.address, second.address) == ("10.1.2.1", "10.1.2.2")
        assert second.variables == {"harbor_registries": ["harbor.lan"]}

    def test_a_relative_path(self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write("hosts", "a\n")
        monkeypatch.chdir(tmp_path)

        assert names(load_inventory(["hosts"])) == ["a"]

    def test_the_example_is_an_inventory(self) -> None:
        nodes = load_inventory([str(ROOT / "inventory.example")])

        assert names(nodes)[:3] == ["control1", "control2", "control3"]
        assert {"kube_control_plane", "etcd", "k8s_cluster"} <= set(nodes[0].groups)
        assert [node.name for node in nodes if node.skip_reason] == ["worker99"]


class TestConnections:
    def test_everything_about_the_connection_becomes_a_field(self, write: Write) -> None:
        hosts = write(
            "hosts",
            "a ansible_host=10.0.0.1 ansible_port=22 ansible_user=u ansible_ssh_pass=p1 ansible_become=yes"
            " ansible_become_pass=p2 ansible_ssh_private_key_file=~/.ssh/k ansible_ssh_common_args='-o X=y'\n",
        )

        (node,) = load_inventory([hosts])

        assert (node.address, node.port, node.user, node.private_key_file) == ("10.0.0.1", 22, "u", "~/.ssh/k")
        assert node.ssh_common_args == "-o X=y"
        assert node.password is not None
        assert node.password.reveal() == "p1"
        assert node.become is not None
        assert node.become.password is not None
        assert (node.become.method, node.become.password.reveal()) == ("sudo", "p2")
        assert "p1" not in repr(node)
        assert "p2" not in repr(node)

    def test_a_become_password_alone_is_enough(self, write: Write) -> None:
        with_password, without = load_inventory(
            [write("hosts", "a ansible_become_password=p\nb ansible_become=false ansible_become_password=p\n")]
        )

        assert with_password.become is not None
        assert without.become is None

    def test_a_local_node(self, write: Write) -> None:
        (node,) = load_inventory([write("hosts", "here ansible_connection=local\n")])

        assert node.connection == "local"

    @pytest.mark.parametrize(
        ("line", "part"),
        [
            ("a ansible_port=70000", "ansible_port"),
            ("a ansible_port=ssh", "ansible_port"),
            ("a ansible_connection=winrm", "winrm"),
            ("a ansible_become_method=doas", "doas"),
            ('a ansible_host="{{ nowhere }}"', "ansible_host"),
        ],
    )
    def test_a_value_that_cannot_be_used_names_host_and_variable(self, write: Write, line: str, part: str) -> None:
        problem = refusal(write("hosts", line + "\n"))

        assert problem.code == "inventory-variable-invalid"
        assert "host a" in problem.message
        assert part in problem.message

    def test_a_skipped_node_says_why(self, write: Write) -> None:
        nodes = load_inventory(
            [
                write(
                    "hosts",
                    "a harbor_skip='being rebuilt' ansible_connection=winrm\nb harbor_skip=false\nc harbor_skip=yes\n",
                )
            ]
        )

        assert [node.skip_reason for node in nodes] == ["being rebuilt", None, "harbor_skip is set"]

    def test_names_of_one_machine_are_one_node(self, write: Write) -> None:
        hosts = write(
            "hosts",
            "[kube_control_plane]\nc1 ansible_host=10.0.0.1\n[kube_node]\nw1 ansible_host=10.0.0.1 harbor_route=auto\n"
            "w2 ansible_host=10.0.0.1 ansible_port=2222\n",
        )

        nodes = load_inventory([hosts])

        assert [(node.name, node.aliases) for node in nodes] == [("c1", ("w1",)), ("w2", ())]
        assert nodes[0].groups == ("kube_control_plane", "kube_node")
        assert nodes[0].variables == {"harbor_route": "auto"}


class TestLimit:
    @pytest.fixture
    def hosts(self, write: Write) -> str:
        return write("hosts", "[kube_control_plane]\nc1\n[kube_node]\nw1\nw2\nw3\n")

    @pytest.mark.parametrize(
        ("limit", "expected"),
        [
            ("w2", ["w2"]),
            ("kube_node", ["w1", "w2", "w3"]),
            ("kube_node:!w2", ["w1", "w3"]),
            ("kube_node,!w*", []),
            ("w*", ["w1", "w2", "w3"]),
            ("kube_node[0]", ["w1"]),
            ("kube_node[1:]", ["w2", "w3"]),
            ("~[cw]1", ["c1", "w1"]),
            ("all:&kube_control_plane", ["c1"]),
            ("!kube_node", ["c1"]),
        ],
    )
    def test_patterns_are_ansibles(self, hosts: str, limit: str, expected: list[str]) -> None:
        if expected:
            assert names(load_inventory([hosts], limit=limit)) == expected
        else:
            assert refusal(hosts, limit=limit).code == "limit-matches-nothing"

    def test_a_file_of_names(self, hosts: str, write: Write) -> None:
        assert names(load_inventory([hosts], limit="@" + write("retry", "w3\nw1\n"))) == ["w3", "w1"]

    def test_an_unknown_name_is_an_error_with_a_suggestion(self, hosts: str) -> None:
        problem = refusal(hosts, limit="w1,kube_nodes")

        assert problem.code == "limit-unknown-name"
        assert "kube_nodes" in problem.message
        assert "kube_node" in problem.hint

    @pytest.mark.parametrize(
        ("limit", "code"),
        [
            ("x*", "limit-matches-nothing"),
            ("kube_node[9]", "limit-matches-nothing"),
            ("@absent", "limit-file-unreadable"),
            ("localhost", "limit-unknown-name"),
        ],
    )
    def test_selecting_nothing_is_an_error(self, hosts: str, limit: str, code: str) -> None:
        assert refusal(hosts, limit=limit).code == code


class TestWhatIsWrong:
    def test_a_source_that_is_missing(self, tmp_path: Path) -> None:
        problem = refusal(str(tmp_path / "absent"))

        assert problem.code == "inventory-missing"
        assert str(tmp_path / "absent") in problem.message

    def test_a_bare_name_gets_a_hint(self) -> None:
        assert "'node1,'" in refusal("node1").hint

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
        ],
    )
    def test_a_yaml_file_that_cannot_be_parsed(self, write: Write, text: str, line: str) -> None:
        path = write("hosts.yml", text)

        problem = refusal(path)

        assert problem.code == "inventory-unparsable"
        assert problem.message.startswith(path + line)
        assert "YAML" in problem.hint

    def test_a_broken_file_in_a_directory_is_not_passed_over(self, write: Write, tmp_path: Path) -> None:
        write("site/good", "a\n")
        bad = write("site/zbad.yml", "all: [\n")

        assert refusal(str(tmp_path / "site")).message.startswith(bad)

    def test_broken_variables_name_their_file(self, write: Write) -> None:
        hosts = write("hosts", "a\n")
        bad = write("group_vars/all.yml", "x: [\n")

        assert bad in refusal(hosts).message

    @pytest.mark.parametrize("text", ["", "# nothing\n", "[kube_node]\n"])
    def test_an_inventory_without_hosts(self, write: Write, text: str) -> None:
        assert refusal(write("hosts", text)).code == "inventory-empty"

    @pytest.mark.parametrize("line", ["a ansible_password='geheim", "a ansible_password=ge heim"])
    def test_a_password_on_a_bad_line_is_not_shown(self, write: Write, line: str) -> None:
        assert "heim" not in str(refusal(write("hosts", line + "\n")))


class TestSurroundings:
    SCRIPT = "import sys; from harbor_agent.inventory.load import load_inventory; load_inventory(sys.argv[1:])"

    @pytest.mark.parametrize("locale", ["C", "POSIX", "zh_CN.GBK", "C.UTF-8"])
    @pytest.mark.parametrize("utf8_mode", ["0", "1"])
    def test_any_locale_will_do_and_nothing_is_printed_or_left(
        self, write: Write, tmp_path: Path, locale: str, utf8_mode: str
    ) -> None:
        hosts = write("hosts", "[kube_node]\na harbor_skip=维护中\nkube_node\n")
        home = tmp_path / "home"
        home.mkdir()
        environment = {**os.environ, "LC_ALL": locale, "HOME": str(home), "PYTHONUTF8": utf8_mode, "TMPDIR": str(home)}

        done = subprocess.run(
            [sys.executable, "-c", self.SCRIPT, hosts], env=environment, capture_output=True, text=True, check=False
        )

        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert list(home.iterdir()) == []
