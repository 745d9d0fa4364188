"""The printed manifests on a real kubelet: a Job checks all nodes and a pull secret, corrects both, and fails on drift.

Each Job posts what it found to a receiver, whose URL a secret has.

Softer than a cluster of users: nothing enforces the NetworkPolicy, the volume is a folder of one node, and the lab's
controller answers for kubernetes.default.svc, as CoreDNS and kube-proxy do elsewhere.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.site import PULLER
from tests.lab.apiserver import running_program
from tests.lab.cluster import exists
from tests.lab.dns_node import serving_dns
from tests.lab.forward import forwarded
from tests.lab.waiting import wait_until
from tests.needs import image_archive
from tests.unit.cli.receiver import receiving, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.pods.conftest import Cluster
    from tests.lab.node import LabNode
    from tests.unit.cli.receiver import Receiver

pytestmark = pytest.mark.needs("cluster", "image", "kubectl")

_IMAGE = "harbor-agent:test"
_NAMESPACE, _SHOP = "harbor-agent", "drift-job"
_FOLDER = "/var/lib/drift-job"
_VOLUMES, _JOBS = "/api/v1/persistentvolumes", f"/apis/batch/v1/namespaces/{_NAMESPACE}/jobs"
_TOKEN = "canary-token-1234"
_DROP_IN = "/etc/systemd/system/docker.service.d/docker-options.conf"


@dataclass(frozen=True, kw_only=True)
class Check:
    """How a Job ended: the condition that it has, and what its pod left."""

    result: str
    code: int
    node: str
    log: str


@dataclass(frozen=True, kw_only=True)
class Person:
    """A person with kubectl on the controller, the options of the schedule, and the receiver that the settings name."""

    cluster: Cluster
    receiver: Receiver
    options: tuple[str | Path, ...]
    settings: Path

    def write_correcting_settings(self) -> Path:
        """Write the settings with the password in a file, as a pod needs it; return their path."""
        settings = json.loads(self.settings.read_text())
        password = self.cluster.site.lab.folder / "harbor-password"
        password.write_text(PULLER.password)
        settings["registries"][0]["credentials"] = {"username": PULLER.name, "password_file": str(password)}
        file = self.settings.parent / "correcting" / self.settings.name
        file.parent.mkdir()
        file.write_text(json.dumps(settings))
        return file

    def kubectl(self, command: str, stdin: str = "") -> str:
        """Run a shell command that must succeed, as the cluster's administrator; return what it prints."""
        environment = {"KUBECONFIG": str(self.cluster.api.kubeconfig())}
        done = self.cluster.site.lab.run(["sh", "-c", command], env=environment, stdin=stdin)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def print_manifests(self, *further: str, settings: Path | None = None) -> str:
        """Return what `schedule install --kubernetes` prints."""
        ended = self.cluster.site.agent("schedule", "install", *self.options, "-c", settings or self.settings, *further)
        assert ended.code == 0, ended.stderr
        return ended.stdout

    def list_commands(self, manifests: str, known_hosts: Path) -> list[str]:
        """Return the printed commands, with the files that only a person knows."""
        files = {"=KEY": f"={self.cluster.site.lab.private_key}", "=KNOWN_HOSTS": f"={known_hosts}"}
        printed = "\n".join(line[4:] for line in manifests.splitlines() if line.startswith("#   "))
        for word, file in files.items():
            assert word in printed
            printed = printed.replace(word, file)
        return printed.splitlines()

    def check(self, name: str, cron_job: str = "harbor-agent-drift") -> Check:
        """Make a Job from a CronJob, as `kubectl create job --from` does, and wait until it has ended."""
        # kubectl 1.32 knows no CronJob of 1.20.
        cron = self.cluster.api.ask("GET", f"/apis/batch/v1beta1/namespaces/{_NAMESPACE}/cronjobs/{cron_job}")
        template = cron["spec"]["jobTemplate"]
        job = {"metadata": {**template["metadata"], "name": name}, "spec": template["spec"]}
        self.cluster.api.ask("POST", _JOBS, job)
        try:
            wait_until(lambda: self._read_result(name) != "", f"job {name} has ended", seconds=120, every=0.2)
        except TimeoutError as error:
            error.add_note(self.kubectl(f"kubectl -n {_NAMESPACE} describe pods -l job-name={name}"))
            raise
        (pod,) = self.cluster.list_pods(_NAMESPACE, f"job-name%3D{name}")
        (container,) = pod["status"]["containerStatuses"]
        return Check(
            result=self._read_result(name),
            code=container["state"]["terminated"]["exitCode"],
            node=pod["spec"]["nodeName"],
            log=self.kubectl(f"kubectl -n {_NAMESPACE} logs job/{name}"),
        )

    def _read_result(self, name: str) -> str:
        conditions = self.cluster.api.ask("GET", f"{_JOBS}/{name}")["status"].get("conditions", ())
        return "".join(one["type"] for one in conditions if one["status"] == "True")


@pytest.fixture
def receiver(cluster: Cluster) -> Iterator[Receiver]:
    """A receiver of notifications that pods reach at the controller's address."""
    lab = cluster.site.lab
    with receiving() as receiver:
        port = int(receiver.url.rpartition(":")[2])
        with forwarded(lab.name, port, lab.address):
            yield replace(receiver, url=f"http://{lab.address}:{port}")


@pytest.fixture
def person(cluster: Cluster, receiver: Receiver) -> Iterator[Person]:
    """A person whose nodes are configured and have the image and a volume; everything is removed afterwards."""
    site, lab, node = cluster.site, cluster.site.lab, cluster.nodes[0]
    site.registry.replace_logins(PULLER)
    settings = site.settings(cluster.api, cluster.create_namespace(_SHOP))
    # The pod has the key at its own place.
    hosts = "".join(f"{one.name} ansible_host={one.address}\n" for one in cluster.nodes)
    inventory = lab.folder / "hosts.ini"
    inventory.write_text(f"[nodes]\n{hosts}[nodes:vars]\nansible_user=ops\nansible_become=true\n")
    build = f"docker build --quiet --tag {_IMAGE} --file Containerfile -"
    node.run(build, stdin=image_archive().read_bytes(), timeout=250)
    create_volume(cluster, node)
    run = ("-i", lab.write_inventory(), "-c", settings, "--yes")
    applied = site.agent("apply", *run)
    assert applied.code == 0, applied.stderr
    words = ("--kubernetes", "--image", _IMAGE, "--kubeconfig", cluster.api.kubeconfig())
    named = name_receiver(settings, receiver)
    yield Person(cluster=cluster, receiver=receiver, options=("-i", inventory, *words), settings=named)
    removed = site.agent("apply", *run, "--registry", site.registry.entry, "--absent")
    for path in (f"/api/v1/namespaces/{_NAMESPACE}", f"/api/v1/namespaces/{_SHOP}", f"{_VOLUMES}/drift-job"):
        if exists(cluster.api, path):
            cluster.api.ask("DELETE", path)
    assert removed.code == 0, removed.stderr


def name_receiver(settings: Path, receiver: Receiver) -> Path:
    """Write the settings once more, with the receiver, whose URL is in a file; return their path."""
    url = write_private(settings.parent / "chat-url", f"{receiver.url}/{_TOKEN}\n")
    file = settings.parent / "notifying" / settings.name
    file.parent.mkdir()
    file.write_text(json.dumps(json.loads(settings.read_text()) | {"notify": [{"url_file": str(url)}]}))
    return file


def create_volume(cluster: Cluster, node: LabNode) -> None:
    """Create a volume in a folder of the node: pods that use it run there. The lab has no provisioner."""
    node.run(f"mkdir {_FOLDER}")
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node.name]}]}
    spec: dict[str, object] = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "local": {"path": _FOLDER},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
    }
    cluster.api.ask("POST", _VOLUMES, {"metadata": {"name": "drift-job"}, "spec": spec})


@contextmanager
def answering_for_the_api(cluster: Cluster, node: LabNode) -> Iterator[None]:
    """Let pods of the node reach the API server by its name, as CoreDNS and kube-proxy do."""
    lab, api = cluster.site.lab, cluster.api
    forward = ("-l", f"{api.host}:443", "/usr/lib/systemd/systemd-socket-proxyd", f"{api.host}:{api.port}")
    resolver = node.root / "etc/kubernetes/resolv.conf"  # kubelet reads it for each pod
    resolver.write_text(f"nameserver {lab.address}\n")
    try:
        with (
            serving_dns(lab.name, lab.folder, lab.address) as dns,
            running_program(Path("/usr/bin/systemd-socket-activate"), forward, api.directory, lab.name),
        ):
            dns.answer({"kubernetes.default.svc": api.host})
            yield
    finally:
        resolver.write_text("")


def forge_host_key(cluster: Cluster, node: LabNode) -> Path:
    """Write known_hosts with another key for the node."""
    lab = cluster.site.lab
    other = " ".join((lab.folder / "id.pub").read_text().split()[:2])
    rest = [line for line in lab.known_hosts.read_text().splitlines() if not line.startswith(f"{node.address} ")]
    file = lab.folder / "known_hosts.forged"
    file.write_text("\n".join([*rest, f"{node.address} {other}", ""]))
    return file


def correct_from_a_pod(cluster: Cluster, person: Person) -> tuple[Check, Check]:
    """Apply the pull secret from a pod, undo it and a file of a node by hand, and let a Job correct both."""
    hosts = f"/etc/containerd/certs.d/{cluster.site.registry.entry}/hosts.toml"
    secret = f"/api/v1/namespaces/{_SHOP}/secrets/harbor-pull"
    manifests = person.print_manifests("--correct", settings=person.write_correcting_settings())
    _, _, inventory, files = person.list_commands(manifests, cluster.site.lab.known_hosts)
    for secret_with_more in (inventory, files):
        person.kubectl(f"{secret_with_more} --dry-run=client -o yaml | kubectl replace -f -")
    person.kubectl("kubectl apply -f -", manifests)
    applied = person.check("apply", "harbor-agent-drift-apply")
    cluster.nodes[1].run(f"rm {hosts}")
    cluster.api.ask("DELETE", secret)
    corrected = person.check("correct")
    assert exists(cluster.api, secret), corrected.log
    assert cluster.nodes[1].succeeds(f"test -e {hosts}"), corrected.log
    return applied, corrected


def test_the_job_finds_drift_on_nodes_whose_host_keys_it_knows(cluster: Cluster, person: Person) -> None:
    with_docker, with_containerd = cluster.nodes
    manifests = person.print_manifests()
    for command in person.list_commands(manifests, cluster.site.lab.known_hosts):
        person.kubectl(command)
    person.kubectl("kubectl apply -f -", manifests)
    with answering_for_the_api(cluster, with_docker):
        first = person.check("first")
        applied, corrected = correct_from_a_pod(cluster, person)
        person.kubectl("kubectl apply -f -", manifests)
        with_docker.run(f"mv {_DROP_IN} /root/kept")
        try:
            second = person.check("second")
            _, ssh, *_ = person.list_commands(manifests, forge_host_key(cluster, with_containerd))
            person.kubectl(f"{ssh} --dry-run=client -o yaml | kubectl replace -f -")
            # OpenSSH, which does not read $HOME, in place of our own client.
            person.kubectl("kubectl apply -f -", person.print_manifests("--transport", "ansible"))
            third = person.check("third")
        finally:
            with_docker.run(f"mv /root/kept {_DROP_IN}")

    assert _TOKEN not in manifests + "".join(one.log for one in (first, applied, corrected, second, third))
    assert [(posted.path, posted.body["command"], posted.body["event"]) for posted in person.receiver.posted] == [
        (f"/{_TOKEN}", "secret apply", "done"),
        (f"/{_TOKEN}", "drift", "corrected"),
        (f"/{_TOKEN}", "drift", "drift"),
        (f"/{_TOKEN}", "drift", "failed"),
    ]
    assert PULLER.password not in str(person.receiver.posted)
    assert (first.result, first.code, first.node) == ("Complete", 0, with_docker.name), first.log
    assert "Drift: 2 in sync; pull secrets: 1 in sync" in first.log
    assert (applied.result, applied.code) == ("Complete", 0), applied.log
    assert (corrected.result, corrected.code) == ("Complete", 0), corrected.log
    assert "hosts.toml is missing" in corrected.log
    assert "pull secrets: 1 in sync" in corrected.log
    assert (second.result, second.code) == ("Failed", 3), second.log
    assert f"{_DROP_IN} is missing" in second.log
    assert "Drift: 1 in sync, 1 drifted" in second.log
    assert (third.result, third.code) == ("Failed", 4), third.log
    assert f"{_DROP_IN} is missing" in third.log
    assert "[host-key-changed]" in third.log
    assert "Drift: 1 drifted (1 in files, 0 at runtime), 1 unreachable" in third.log
