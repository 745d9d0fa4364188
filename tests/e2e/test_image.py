"""The container image on a node's Docker: non-root, read-only, without capabilities, its state on a volume."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from harbor_agent import resources
from harbor_agent.cli.main import app
from tests.e2e.site import PULLER
from tests.needs import image_archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.site import Site
    from tests.lab.node import LabNode

pytestmark = pytest.mark.needs("nodes", "image")

_IMAGE = "harbor-agent:test"
_HARDENED = "--network host --read-only --cap-drop ALL --security-opt no-new-privileges"
# OpenShift starts a container with a user of its own, and the group root.
_UNKNOWN_USER = "1000650000:0"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A container of the image that stays, because the lab's Docker copies the whole image for each one.

    `options` are of `docker exec`.
    """

    node: LabNode
    name: str
    options: str = ""

    @classmethod
    def start(cls, node: LabNode, name: str, options: str, command: str = "sleep infinity") -> Box:
        """Start a hardened container, through the image's entry point."""
        node.run(f"docker run --detach --name {name} {_HARDENED} {options} {_IMAGE} {command}", timeout=120)
        return cls(node=node, name=name)

    def run(self, *arguments: str, stdin: bytes = b"", code: int = 0) -> str:
        """Run the entry point once; its exit code must be `code`. Return its output, with errors if that is not 0."""
        password = f"HARBOR_PASSWORD={shlex.quote(PULLER.password)}"
        command = f"docker exec -i -e HARBOR_PASSWORD {self.options} {self.name} entrypoint {shlex.join(arguments)}"
        ended = self.node.run(f"{password} {command}", stdin=stdin, check=False, timeout=120)
        assert ended.returncode == code, ended.stdout + ended.stderr
        assert "Traceback" not in ended.stdout + ended.stderr
        return ended.stdout if code == 0 else ended.stdout + ended.stderr

    def write(self, files: dict[str, str]) -> None:
        """Write files into the home."""
        for name, text in files.items():
            self.run("sh", "-c", f"umask 077; mkdir -p $(dirname {name}); cat >{name}", stdin=text.encode())

    def read(self, *arguments: str) -> Any:  # noqa: ANN401 - a document
        return json.loads(self.run(*arguments, "-o", "json"))


@pytest.fixture(scope="module")
def image(fresh_site: Site) -> Iterator[LabNode]:
    """The node that has the image."""
    node = fresh_site.nodes[0]
    build = f"docker build --quiet --tag {_IMAGE} --file Containerfile -"
    node.run(build, stdin=image_archive().read_bytes(), timeout=250)
    yield node
    node.run("docker rm --force $(docker ps --all --quiet)", check=False)


@pytest.fixture(scope="module")
def box(image: LabNode) -> Box:
    return Box.start(image, "box", "--tmpfs /tmp -v state:/state")


@pytest.fixture(scope="module")
def targets(fresh_site: Site) -> tuple[LabNode, ...]:
    """The nodes that the image is to configure."""
    return fresh_site.nodes[1:]


@pytest.fixture(scope="module")
def files(fresh_site: Site, targets: tuple[LabNode, ...]) -> dict[str, str]:
    """What an operator puts into the volume."""
    hosts = "".join(f"{node.name} ansible_host={node.address}\n" for node in targets)
    own = "ansible_user=ops\nansible_become=true\nansible_ssh_private_key_file=key"
    return {
        "inventory.ini": f"[nodes]\n{hosts}[nodes:vars]\n{own}\n",
        "harbor-agent.yaml": fresh_site.settings(None, "").read_text(),
        "key": fresh_site.lab.private_key.read_text(),
        ".ssh/known_hosts": fresh_site.lab.known_hosts.read_text(),
    }


def test_the_first_word_is_a_command_of_harbor_agent_or_a_program_of_the_image(box: Box) -> None:
    assert box.run("--version").startswith("harbor-agent ")
    assert "usage: ansible-runner" in box.run("ansible-runner", "--help")
    assert "harbor_agent.nodes.harbor_agent" in box.run("ansible-doc", "--list", "harbor_agent.nodes")
    assert box.run("id", "-u") == "10001\n"
    assert "Read-only" in box.run("touch", "/opt/x", code=1)
    # A program of that name would hide the command.
    commands = list(typer.main.get_command(app).commands)
    assert len(commands) > 10
    assert box.run("sh", "-c", 'for name; do command -v "$name" || :; done', "sh", *commands) == ""


def test_other_nodes_are_planned_changed_and_proven(box: Box, files: dict[str, str]) -> None:
    box.write(files)
    run = ("-i", "inventory.ini")

    plans = [box.read("plan", *run, "--transport", transport)["nodes"] for transport in ("ssh", "ansible")]
    applied = box.read("apply", *run, "--yes")
    verified = box.read("verify", *run, "--transport", "ansible")
    history = box.read("history")

    for node in (node for nodes in plans for node in nodes):
        assert node["status"] == "change"
        node.pop("seconds")
    assert plans[0] == plans[1]
    assert [(node["outcome"], node["verified"]) for node in applied["nodes"]] == [("changed", True)] * 2
    assert [node["verified"] for node in verified["nodes"]] == [True, True]
    assert history["runs"][-1]["run_id"] == applied["run_id"]


def test_a_user_without_a_name_gets_one(box: Box, files: dict[str, str]) -> None:
    home = "/tmp/home"
    options = f"--user {_UNKNOWN_USER} -e HOME={home}"
    replace(box, options=options).run("mkdir", home)
    stranger = replace(box, options=f"{options} --workdir {home}")
    stranger.write(files)

    planned = stranger.read("plan", "-i", "inventory.ini", "--transport", "ansible")

    assert {node["status"] for node in planned["nodes"]} == {"unchanged"}


def test_it_is_an_execution_environment(box: Box, files: dict[str, str], tmp_path: Path) -> None:
    known_hosts = "ansible_ssh_common_args='-o UserKnownHostsFile={{ playbook_dir }}/known_hosts'"
    sent = {
        "inventory/hosts": files["inventory.ini"].replace("ansible_ssh_private_key_file=key", known_hosts),
        "project/site.yml": resources.find_playbook("site.yml").read_text(),
        "project/harbor-agent.yaml": files["harbor-agent.yaml"],
        "project/known_hosts": files[".ssh/known_hosts"],
        "env/ssh_key": files["key"],
    }
    for name, text in sent.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    def stream(*arguments: str, stdin: bytes = b"") -> bytes:
        command = [str(Path(sys.executable).with_name("ansible-runner")), *arguments]
        return subprocess.run(command, input=stdin, check=True, capture_output=True, timeout=120).stdout

    transmitted = stream("transmit", str(tmp_path), "-p", "site.yml", "--cmdline", "--tags verify")
    worked = box.run("ansible-runner", "worker", stdin=transmitted)
    shown = stream("process", str(tmp_path / "processed"), stdin=worked.encode()).decode()

    assert worked.rstrip().endswith('{"eof": true}')
    assert sorted(re.findall(r"ok: \[(node\d)\] => ", shown)) == ["node2", "node3"], shown
    assert shown.count('"verified": true') == 2


def test_without_a_directory_for_temporary_files_the_error_says_so(image: LabNode) -> None:
    # Not even a volume: with one, the current directory is writable, and Python takes that.
    bare = Box.start(image, "bare", "--entrypoint sleep", "infinity")
    nameless = replace(bare, options=f"--user {_UNKNOWN_USER}")

    assert "[temporary-directory-missing]" in bare.run("plan", "-i", "127.0.0.1,", code=2)
    assert "/tmp is not writable: add --tmpfs /tmp" in bare.run("ansible-runner", "worker", code=2)
    assert "uid 1000650000 has no name in this image, and /tmp is not writable" in nameless.run("plan", code=2)
