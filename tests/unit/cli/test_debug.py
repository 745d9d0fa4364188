"""--debug shows what nodes were sent and answered, and no secret in any encoding of it."""

from __future__ import annotations

import base64
import subprocess
import sys

import pytest

from harbor_agent.cli.terminal.debug import mask_log

SECRET = "pw-canary-7"
LOGIN = base64.b64encode(f"ci:{SECRET}".encode()).decode()
RUN = f"""
import base64, sys
from harbor_agent.cli.console import print_status
from harbor_agent.cli.terminal.debug import show_debug_log
from harbor_agent.model.inventory import Node
from harbor_agent.model.program import Program
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.transport.local import LocalTransport
from harbor_agent.transport.protocol import Job
if sys.argv[1:]:
    show_debug_log(print_status)
node = Node(name="node1", address="192.0.2.1", password=Sensitive("{SECRET}"))
stdin = b"PAYLOAD_PASSWORD={base64.b64encode(SECRET.encode()).decode()}\\necho got {SECRET}; echo warned >&2; exit 3"
(result,) = LocalTransport().run([Job(node=node, program=Program(stdin=stdin, arguments=("begin",), privileged=False))])
"""


def encode(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.mark.parametrize(
    "content",
    [
        f'{{"auths": {{"h.lan": {{"auth": "{LOGIN}"}}}}}}',
        f"HTTP_PROXY=http://ci:{SECRET}@proxy:3128\n",
        f"password = '{SECRET}'\n[more]\n",
        encode(f"token: {SECRET}"),
    ],
)
def test_secrets_in_encoded_files_are_masked(content: str) -> None:
    shown = mask_log(f"file /etc/x 0644 0 0 {encode(content)}")
    assert SECRET not in shown
    assert LOGIN not in shown
    assert encode(SECRET) not in shown
    assert "***" in shown


def test_what_is_encoded_can_be_read_and_other_words_stay() -> None:
    digest = "ab" * 32
    text = f"file {encode('one line')} /usr/lib/systemd/system {digest} docker01 {encode(bytes(range(128, 250)))}"
    assert mask_log(text) == f"file <one line> /usr/lib/systemd/system {digest} docker01 <122 bytes>"


def test_both_directions_are_printed_without_the_password_of_the_node() -> None:
    def run(*options: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", RUN, *options], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout == ""
        return done.stderr

    shown = run("debug")
    assert shown.startswith("debug: nodes: node1: sent a program of ")
    assert "arguments: begin, variables: PAYLOAD_PASSWORD (16 bytes)" in shown
    assert "exit status 3\n    standard output:\n    got ***\n    standard error:\n    warned\n" in shown
    assert SECRET not in shown
    assert encode(SECRET) not in shown
    assert run() == ""
