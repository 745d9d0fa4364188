"""The pull that proves a node: over CRI, with a login, on each version of containerd."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from harbor_agent.model.address import Address
from harbor_agent.model.policy import Credentials
from harbor_agent.model.result import PullVerdict
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.node.wire import programs as wire
from tests.lab.images import busybox_root
from tests.lab.registry import Login, running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.result import PullReport
    from tests.lab.node import LabNode
    from tests.lab.nodes import Lab

pytestmark = pytest.mark.needs("nodes")

ENTRY = "10.99.0.1:5003"
IMAGE = f"{ENTRY}/lab/box:1"
# Longer than what one byte of protobuf's lengths can say, and with what a shell might take for its own.
LOGIN = Login(name="robot$k8s", password="p\\%s'\" $x" + "long" * 40)
_HOSTS = f"/etc/containerd/certs.d/{ENTRY}/hosts.toml"
_TRUSTED = f'server = "http://{ENTRY}"\n[host."http://{ENTRY}"]\n  capabilities = ["pull", "resolve"]\n'


@pytest.fixture(scope="module")
def registry(containerd_lab: Lab) -> Iterator[None]:
    lab, folder = containerd_lab, containerd_lab.folder / "registry3"
    inside = lab.network.inside(())
    with running_registry(
        folder, authentication="token", logins=[LOGIN], host=lab.address, port=5003, prefix=inside
    ) as registry:
        registry.push("lab/box", "1", root=busybox_root(lab.nodes[0].base))
        yield


@pytest.fixture
def node(containerd_node: LabNode, registry: None) -> LabNode:  # noqa: ARG001 - it runs
    containerd_node.run(f"mkdir -p {_HOSTS.rpartition('/')[0]} && cat >{_HOSTS}", stdin=_TRUSTED.encode())
    return containerd_node


def pull(node: LabNode, image: str = IMAGE, password: str = LOGIN.password, shell: str = "sh") -> PullReport:
    login = Credentials(username=LOGIN.name, password=Sensitive(password))
    program = wire.build_pull_program("containerd", image, login, ENTRY, timeout=20)
    done = node.run(f"{shell} -s -- {shlex.join(program.arguments)}", stdin=program.stdin)
    return wire.decode_pull(done.stdout.encode(), Address(host="10.99.0.1", port=5003))


def images(node: LabNode) -> set[str]:
    return set(node.run("ctr -n k8s.io images ls -q").stdout.split())


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh"])
def test_an_image_is_pulled_with_the_login_and_leaves_nothing(node: LabNode, shell: str) -> None:
    before = images(node)
    report = pull(node, shell=shell)
    assert (report.verdict, report.image) == (PullVerdict.PULLED, IMAGE), report.detail
    assert images(node) == before


def test_an_image_that_was_there_stays(node: LabNode) -> None:
    login = shlex.quote(f"{LOGIN.name}:{LOGIN.password}")
    node.run(f"ctr -n k8s.io images pull --plain-http --user {login} {IMAGE} >/dev/null 2>&1")
    before = images(node)
    assert pull(node).verdict is PullVerdict.PULLED
    assert IMAGE in images(node)
    assert before <= images(node)
    node.run(f"ctr -n k8s.io images rm {IMAGE}")


def test_each_failure_has_its_verdict(node: LabNode) -> None:
    assert pull(node, password="wrong").verdict is PullVerdict.UNAUTHORIZED
    assert pull(node, image=f"{ENTRY}/lab/box:none").verdict is PullVerdict.NOT_FOUND
    node.run(f"rm {_HOSTS}")
    report = pull(node)
    assert report.verdict is PullVerdict.INSECURE_REFUSED, report.detail
    node.run("mv /usr/bin/curl /usr/bin/curl.away")
    report = pull(node)
    node.run("mv /usr/bin/curl.away /usr/bin/curl")
    assert report.verdict is PullVerdict.FAILED
    assert "no pull was tried" in report.detail


@pytest.mark.parametrize("containerd_node", ["1.6"], indirect=True)
def test_crictl_has_the_login_in_its_environment_and_both_endpoints(node: LabNode) -> None:
    """The program is a stand-in that records how it is called: Debian has no crictl."""
    script = (
        b'#!/bin/sh\nprintf \'%s\\n\' "$@" >/run/crictl.argv\nprintf %s "$CRICTL_CREDS" >/run/crictl.login\n'
        b"echo Image is up to date for sha256:1\n"
    )
    node.run("cat >/usr/local/bin/crictl && chmod 755 /usr/local/bin/crictl", stdin=script)
    node.run("mv /usr/bin/curl /usr/bin/curl.away")
    try:
        report = pull(node)
    finally:
        node.run("mv /usr/bin/curl.away /usr/bin/curl; rm /usr/local/bin/crictl")
    called, login = (node.run(f"cat /run/crictl.{name}; rm /run/crictl.{name}").stdout for name in ("argv", "login"))
    socket = "unix:///run/containerd/containerd.sock"
    assert called.splitlines() == ["--runtime-endpoint", socket, "--image-endpoint", socket, "pull", IMAGE]
    assert login == f"{LOGIN.name}:{LOGIN.password}"
    assert report.verdict is PullVerdict.PULLED, report.detail


def test_no_other_containerd_proves_anything_to_kubelet(node: LabNode) -> None:
    script = b"#!/bin/sh\nsleep 600\n"
    node.run("cat >/usr/local/bin/kubelet && chmod 755 /usr/local/bin/kubelet", stdin=script)
    endpoint = "--container-runtime-endpoint=unix:///run/elsewhere/containerd.sock"
    node.run(f"systemd-run -q --unit=kubelet --service-type=exec /usr/local/bin/kubelet {endpoint}")
    try:
        report = pull(node)
    finally:
        node.run("systemctl stop kubelet; rm /usr/local/bin/kubelet")
    assert report.verdict is not PullVerdict.PULLED
    assert pull(node).verdict is PullVerdict.PULLED


def test_no_login_is_left_on_the_node(node: LabNode) -> None:
    pull(node)
    assert not node.succeeds("grep -rqs longlonglong /run /etc /var/log /tmp /root")
