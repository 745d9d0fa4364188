"""The real sudo and su of two Debian releases, with and without a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.inventory import Become, Node
from harbor_agent.model.program import Program
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.transport.protocol import Completed, Job, Lost
from harbor_agent.transport.ssh.transport import SshTransport
from tests.lab.base import SUDO_PASSWORD
from tests.lab.inside import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode
    from tests.lab.nodes import Lab

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(300)]

ROOT_PASSWORD = "let root in"
# Every byte on both streams, a line longer than a terminal's, and an exit status.
PROGRAM = Program(
    stdin=b"# " + b"x" * 10_000 + b'\nid -u; printf "%s" "$1"; printf "\\r\\n\\0\\377" >&2; exit 7\n',
    arguments=("one\ntwo\t'three'",),
)
SUDOERS = {
    "plain": "ops ALL=(ALL) NOPASSWD:ALL\nopspw ALL=(ALL) ALL\n",
    "requiretty": "Defaults requiretty\nops ALL=(ALL) NOPASSWD:ALL\nopspw ALL=(ALL) ALL\n",
    "requiretty, no pty of its own": (
        "Defaults requiretty, !use_pty\nops ALL=(ALL) NOPASSWD:ALL\nopspw ALL=(ALL) ALL\n"
    ),
}


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def node(request: pytest.FixtureRequest, releases: Lab) -> Iterator[LabNode]:
    node = releases.nodes[["bookworm", "trixie"].index(request.param)]
    node.run(f"echo 'root:{ROOT_PASSWORD}' | chpasswd; cp -a /etc/sudoers.d /root/sudoers.d")
    yield node
    node.run("rm -r /etc/sudoers.d && mv /root/sudoers.d /etc/sudoers.d")


@pytest.fixture
def network(releases: Lab) -> Iterator[None]:
    with inside(releases.name):
        yield


def run(lab: Lab, node: LabNode, *, become: Become | None, user: str = "ops") -> Completed | Lost:
    transport = SshTransport(forks=1, known_hosts=[lab.known_hosts])
    there = Node(name=node.name, address=node.address, user=user, private_key_file=str(lab.private_key), become=become)
    (result,) = transport.run([Job(node=there, program=PROGRAM, timeout=60)])
    transport.close()
    return result


def write_sudoers(node: LabNode, text: str) -> None:
    file = node.root / "etc/sudoers.d/ops"
    (node.root / "etc/sudoers.d/opspw").unlink(missing_ok=True)
    file.write_text(text)
    file.chmod(0o440)


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("sudoers", SUDOERS)
@pytest.mark.parametrize(("user", "password"), [("ops", None), ("opspw", SUDO_PASSWORD)])
def test_sudo_with_every_setting(releases: Lab, node: LabNode, sudoers: str, user: str, password: str | None) -> None:
    write_sudoers(node, SUDOERS[sudoers])
    become = Become(password=Sensitive(password) if password else None)

    result = run(releases, node, become=become, user=user)

    assert isinstance(result, Completed), result.problem
    assert (result.rc, result.stdout, result.stderr) == (7, b"0\none\ntwo\t'three'", b"\r\n\0\xff")


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("sudoers", ["plain", "requiretty"])
@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("wrong", "become-password-wrong"),
        (None, "become-password-required"),
        (SUDO_PASSWORD, "become-not-permitted"),
    ],
)
def test_a_refusal_of_sudo_is_reported(
    releases: Lab, node: LabNode, sudoers: str, password: str | None, code: str
) -> None:
    text = SUDOERS[sudoers].replace("opspw", "nobody" if code == "become-not-permitted" else "opspw")
    write_sudoers(node, text)
    become = Become(password=Sensitive(password) if password else None)

    result = run(releases, node, become=become, user="opspw")

    assert isinstance(result, Lost)
    assert (result.problem.code, result.started) == (code, False)


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    ("password", "code"),
    [(ROOT_PASSWORD, None), ("wrong", "become-password-wrong"), (None, "become-password-required")],
)
def test_su(releases: Lab, node: LabNode, password: str | None, code: str | None) -> None:
    become = Become(method="su", password=Sensitive(password) if password else None)

    result = run(releases, node, become=become)

    if code is None:
        assert isinstance(result, Completed), result.problem
        assert (result.rc, result.stdout, result.stderr) == (7, b"0\none\ntwo\t'three'", b"\r\n\0\xff")
    else:
        assert isinstance(result, Lost)
        assert (result.problem.code, result.started) == (code, False)


# From ansible/ansible#12686, #64854, #74617: users who may only become root with `sudo su`.
ONLY_SU = "{user} ALL=(root) {nopasswd} /usr/bin/su, /usr/bin/su *, /bin/su, /bin/su *\n"
THROUGH_SU = {
    "su with the executable sudo su -": Become(method="su", executable="sudo su -"),
    "sudo with the flags su - -c": Become(method="sudo", flags="su - -c"),
    "sudosu": Become(method="sudosu"),
}


@pytest.mark.field("06")
@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("defaults", ["", "Defaults requiretty\n"])
@pytest.mark.parametrize("password", [None, SUDO_PASSWORD])
@pytest.mark.parametrize("way", THROUGH_SU)
def test_a_user_who_may_only_use_su(
    releases: Lab, node: LabNode, way: str, password: str | None, defaults: str
) -> None:
    user = "opspw" if password else "ops"
    write_sudoers(node, defaults + ONLY_SU.format(user=user, nopasswd="" if password else "NOPASSWD:"))
    become = replace(THROUGH_SU[way], password=Sensitive(password) if password else None)

    result = run(releases, node, become=become, user=user)

    assert isinstance(result, Completed), result.problem
    assert (result.rc, result.stdout, result.stderr) == (7, b"0\none\ntwo\t'three'", b"\r\n\0\xff")


@pytest.mark.field("06")
@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("way", THROUGH_SU)
def test_a_missing_password_is_reported_and_the_program_is_not_sent_for_it(
    releases: Lab, node: LabNode, way: str
) -> None:
    write_sudoers(node, ONLY_SU.format(user="opspw", nopasswd=""))

    result = run(releases, node, become=THROUGH_SU[way], user="opspw")

    assert isinstance(result, Lost)
    assert (result.problem.code, result.started) == ("become-password-required", False)


@pytest.mark.field("06")
@pytest.mark.usefixtures("network")
def test_a_rule_for_one_command_is_named_in_the_hint(releases: Lab, node: LabNode) -> None:
    write_sudoers(node, ONLY_SU.format(user="ops", nopasswd="NOPASSWD:"))

    result = run(releases, node, become=Become())

    assert isinstance(result, Lost)
    assert (result.problem.code, result.started) == ("become-password-required", False)
    assert "ansible_become_exe" in result.problem.hint
