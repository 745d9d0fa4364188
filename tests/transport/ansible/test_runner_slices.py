"""Four slices by ansible-runner's workers over their streams, as AWX runs them: which ones are complete.

The commands end with 0 whatever happened to a stream, so a slice is judged by what arrived of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent import resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.needs("root"), pytest.mark.timeout(180)]

NODES = ("node1", "node2", "node3", "node4")
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----"


class Controller:
    """Sends slices of site.yml to workers on this machine, and processes what comes back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bundle = folder / "bundle"
        self._environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder / "home"),
            "LC_ALL": "C.UTF-8",
        }
        for name in ("project", "inventory"):
            (self._bundle / name).mkdir(parents=True)
        (folder / "home").mkdir()
        playbooks = resources.find_playbook("site.yml").parent
        shutil.copytree(playbooks / "collections", self._bundle / "project/collections")
        shutil.copy(playbooks / "site.yml", self._bundle / "project/site.yml")
        (self._bundle / "project/private").write_text(KEY)
        variables = {"ansible_connection": "local", "ansible_become_method": "su", "harbor_registries": "192.168.0.99"}
        hosts = {"all": {"hosts": {name: {} for name in NODES}, "vars": variables}}
        (self._bundle / "inventory/hosts.json").write_text(json.dumps(hosts))

    def run(self, *arguments: str, given: bytes = b"") -> bytes:
        """Run a command of ansible-runner, which ends with 0."""
        argv = [sys.executable, "-m", "ansible_runner", *arguments]
        done = subprocess.run(
            argv, input=given, capture_output=True, env=self._environment, cwd=self.folder, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def transmit(self, node: str) -> bytes:
        return self.run("transmit", str(self._bundle), "-p", "site.yml", "--limit", node, "--cmdline=--tags=probe")

    def work(self, node: str, given: bytes) -> bytes:
        """Let a worker do it; nothing of the bundle stays on its machine."""
        private = self.folder / f"worker-{node}"
        answer = self.run("worker", "--private-data-dir", str(private), "--delete", given=given)
        assert not private.exists()
        return answer

    def process(self, node: str, answer: bytes) -> bool:
        """Process the answer, and return whether the slice is complete."""
        folder = self.folder / f"slice-{node}"
        shutil.rmtree(folder, ignore_errors=True)
        self.run("process", str(folder), given=answer)
        return is_complete(answer, folder)


def is_complete(answer: bytes, folder: Path) -> bool:
    """Whether all four signs are there; the guide for many machines lists them."""
    messages = [json.loads(line) for line in answer.splitlines() if is_message(line)]
    statuses = [message["status"] for message in messages if "status" in message]
    code = folder / "artifacts/rc"
    return (
        statuses[-1:] == ["successful"]
        and any(message.get("event") == "playbook_on_stats" for message in messages)
        and answer.rstrip().endswith(b'{"eof": true}')
        and code.exists()
        and code.read_text() == "0"
    )


def is_message(line: bytes) -> bool:
    """Whether it is one of the stream's JSON lines; one that was cut is none, and the archive at the end is not."""
    return line.startswith(b"{") and line.endswith(b"}")


@pytest.fixture(scope="module")
def controller() -> Iterator[Controller]:
    with tempfile.TemporaryDirectory(prefix="h") as name:
        yield Controller(Path(name))


@pytest.fixture(scope="module")
def answers(controller: Controller) -> dict[str, bytes]:
    """Run the four workers at the same time; each first gets half of its slice, and then all of it."""

    def work_twice(node: str) -> bytes:
        slice_ = controller.transmit(node)
        cut = controller.work(node, slice_[: len(slice_) // 2])
        assert not controller.process(node, cut)
        return controller.work(node, slice_)

    with ThreadPoolExecutor(len(NODES)) as pool:
        return dict(zip(NODES, pool.map(work_twice, NODES), strict=True))


def test_four_slices_that_arrive_whole_are_complete(controller: Controller, answers: dict[str, bytes]) -> None:
    assert {node: controller.process(node, answer) for node, answer in answers.items()} == dict.fromkeys(NODES, True)
    for node, answer in answers.items():
        played = [line for line in answer.splitlines() if b'"runner_on_ok"' in line]
        assert len(played) == 1, "the probe of its one node"
        assert f'"host": "{node}"'.encode() in played[0]
        assert KEY.encode() not in answer


def cut_before(sign: bytes) -> Callable[[bytes], bytes]:
    return lambda answer: answer[: answer.rindex(sign)]


@pytest.mark.parametrize(
    "cut",
    [
        lambda _: b"",
        lambda answer: answer[: len(answer) // 2],
        cut_before(b'{"status": "successful"'),
        cut_before(b'{"zipfile"'),
        cut_before(b'{"eof": true}'),
        lambda answer: answer.replace(b'"playbook_on_stats"', b'"lost"'),
        lambda answer: answer.replace(b'{"status": "successful"', b'{"status": "failed"'),
    ],
    ids=["empty", "half", "no-status", "no-archive", "no-end", "no-stats", "failed"],
)
def test_an_answer_that_was_cut_is_not_complete_although_process_ends_with_0(
    controller: Controller, answers: dict[str, bytes], cut: Callable[[bytes], bytes]
) -> None:
    node = NODES[0]
    assert not controller.process(node, cut(answers[node]))
