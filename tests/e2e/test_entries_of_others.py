"""Settings of somebody else with which dockerd does not start again, and names with capitals, on two generations."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

from harbor_agent.planning.docker.checks.entries import find_entry_fault
from harbor_agent.planning.docker.matching import parse_version
from tests.e2e.site import IMAGE, Site
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry
from tests.unit.planning.docker.checks.test_entries import ACCEPTED, REJECTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]

OPTIONS = "/etc/systemd/system/docker.service.d/docker-options.conf"
DAEMON_JSON = "/etc/docker/daemon.json"
BAD = "reg.example.com/project"
# Prints "rejected" or "accepted": whether a second dockerd gets past its registries.
JUDGE = """
rm -rf /run/judge && mkdir -p /run/judge && cd /run/judge || exit 1
dockerd --insecure-registry="$1" --data-root /run/judge/data --exec-root /run/judge/exec --pidfile /run/judge/pid \
  -H unix:///run/judge/socket --bridge none --iptables=false --containerd /run/containerd/containerd.sock \
  --containerd-namespace judge --containerd-plugins-namespace judge-plugins >log 2>&1 &
until grep -q 'completed initialization' log; do
  kill -0 $! 2>/dev/null || break
  sleep 0.1
done
if grep -q 'completed initialization' log; then echo accepted; kill $!; wait; else echo rejected; fi
"""


@pytest.fixture(scope="module")
def generations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A Debian 12 and a Debian 13 node, and a registry without a login."""
    folder = tmp_path_factory.mktemp("registry")
    with (
        Lab(shapes=("docker.io", "docker.io"), suites=("bookworm", "trixie")) as lab,
        running_registry(folder, host=lab.address, port=5000, prefix=lab.network.inside(())) as registry,
    ):
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
        yield Site(lab=lab, registry=registry)


@pytest.fixture(autouse=True)
def _start_fresh(generations: Site) -> None:
    for node in generations.lab.nodes:
        node.renew()
    for node in generations.lab.nodes:
        node.wait_ready()


def write(node: LabNode, path: str, text: str) -> None:
    """Write a file well after dockerd started, as somebody's playbook does, and let systemd read it."""
    node.run("until [ $(($(date +%s) - $(stat -c %Z /run/docker.pid))) -gt 4 ]; do sleep 0.2; done")
    node.run(f"mkdir -p {path.rpartition('/')[0]} && cat >{path} && systemctl daemon-reload", stdin=text.encode())


def assert_untouched(node: LabNode, pid: str) -> None:
    assert node.run("systemctl show -p MainPID --value docker").stdout == pid
    assert node.run("systemctl is-active docker").stdout == "active\n"


@pytest.mark.field("01")
def test_dockerd_judges_entries_as_the_plan_does(generations: Site) -> None:
    for node in generations.lab.nodes:
        version = parse_version(node.run("docker version --format '{{.Server.Version}}'").stdout)
        for entry in (*REJECTED, *ACCEPTED, "[fd00::99]"):
            verdict = node.run(f"sh -c {shlex.quote(JUDGE)} judge {shlex.quote(entry)}").stdout.strip()
            expected = "rejected" if find_entry_fault(entry, version) else "accepted"
            assert (entry, verdict) == (entry, expected), version


@pytest.mark.field("02")
@pytest.mark.parametrize(
    ("path", "text"),
    [
        (OPTIONS, f'[Service]\nEnvironment="DOCKER_OPTS=--insecure-registry={BAD} --log-opt max-size=50m"\n'),
        (DAEMON_JSON, json.dumps({"insecure-registries": [BAD], "log-driver": "json-file"})),
    ],
    ids=["variable", "daemon.json"],
)
def test_a_latent_bad_entry_stops_the_plan_and_can_be_removed(generations: Site, path: str, text: str) -> None:
    site, nodes = generations, generations.lab.nodes
    for node in nodes:
        write(node, path, text)
    pids = [node.run("systemctl show -p MainPID --value docker").stdout for node in nodes]
    run = ("-i", site.lab.write_inventory(), "--registry", site.registry.entry, "-o", "json")
    for command in (("plan",), ("apply", "--yes")):
        ended = site.agent(*command, *run)
        assert ended.code == 5, ended.stderr
        for node in nodes:
            assert ended.node(node.name)["code"] == "entry-invalid"
            assert path in ended.node(node.name)["reason"]
    for node, pid in zip(nodes, pids, strict=True):
        assert_untouched(node, pid)
    removal = (
        "-i",
        site.lab.write_inventory(),
        "--absent",
        "--registry",
        BAD,
        "--accept-restart",
        "--yes",
        "-o",
        "json",
    )
    removed = site.agent("apply", *removal)
    assert removed.code == 0, removed.stdout + removed.stderr
    for node in nodes:
        assert BAD not in node.run(f"cat {path}", check=False).stdout
        node.run("systemctl restart docker && docker info")


@pytest.mark.field("02")
def test_nothing_is_restarted_over_an_unread_daemon_json(generations: Site) -> None:
    site, nodes = generations, generations.lab.nodes
    for node in nodes:
        write(node, DAEMON_JSON, '{"storage-driver": "btrfs", "log-driver": "json-file"}')
    pids = [node.run("systemctl show -p MainPID --value docker").stdout for node in nodes]
    run = ("-i", site.lab.write_inventory(), "--registry", site.registry.entry, "-o", "json")
    planned = site.agent("plan", *run)
    refused = site.agent("apply", *run, "--yes")
    assert refused.code == 5, refused.stderr
    for node, pid in zip(nodes, pids, strict=True):
        assert "latent-edit" in [warning["code"] for warning in planned.node(node.name)["warnings"]]
        assert refused.node(node.name)["code"] == "latent-edit"
        assert_untouched(node, pid)
    reloaded = site.agent("apply", *run, "--yes", "--route", "daemon-json")
    assert reloaded.code == 0, reloaded.stdout + reloaded.stderr
    for node, pid in zip(nodes, pids, strict=True):
        assert reloaded.node(node.name)["action"] == "reload"
        assert_untouched(node, pid)


@pytest.mark.field("09")
def test_a_registry_with_capitals_is_configured_and_proven_as_it_is_written(generations: Site) -> None:
    site, nodes = generations, generations.lab.nodes
    for node in nodes:
        node.run(f"echo '{site.lab.address} harbor.lan' >>/etc/hosts")
    name = "Harbor.LAN:5000"
    run = ("-i", site.lab.write_inventory(), "--registry", name, "-o", "json")
    applied = site.agent("apply", *run, "--verify-image", IMAGE, "--yes")
    assert applied.code == 0, applied.stdout + applied.stderr
    for node in nodes:
        assert applied.node(node.name)["verified"] is True
        node.run(f"docker pull {name}/{IMAGE}")
        assert "HTTP response to HTTPS client" in node.run(f"docker pull harbor.lan:5000/{IMAGE}", check=False).stderr
    assert site.agent("plan", *run, "--exit-code").code == 0
    removed = site.agent("apply", *run, "--absent", "--yes")
    assert removed.code == 0, removed.stdout + removed.stderr
    for node in nodes:
        assert node.run(f"docker pull {name}/{IMAGE}", check=False).returncode != 0


def test_a_change_that_a_reboot_loses_is_warned_of(generations: Site) -> None:
    in_memory, overlay = generations.lab.nodes
    in_memory.run("mount -t tmpfs tmpfs /etc/docker")
    overlay.run("mkdir -p /run/cow/upper /run/cow/work")
    overlay.run("mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/cow/upper,workdir=/run/cow/work /etc")
    planned = generations.agent(
        *("plan", "-i", generations.lab.write_inventory(), "--registry", generations.registry.entry),
        *("--route", "daemon-json", "-o", "json"),
    )
    warnings = {
        node.name: [one["message"] for one in planned.node(node.name)["warnings"] if one["code"] == "file-volatile"]
        for node in generations.lab.nodes
    }
    assert "/etc/docker is on tmpfs" in warnings[in_memory.name][0]
    assert "/etc/docker is on overlay-in-memory" in warnings[overlay.name][0]
