"""DNS servers of a cluster without controllers: workloads, ConfigMaps, and pods whose metrics this process gives."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.lab.apiserver import RunningApiServer
    from tests.lab.dns_node import DnsServer

SYSTEM = "/api/v1/namespaces/kube-system"
APPS = "/apis/apps/v1/namespaces/kube-system"
_ENTRY = re.compile(r"^\s*(\d+\.\d+\.\d+\.\d+) (\S+)", re.MULTILINE)


def find_own_address() -> str:
    """The address of this machine that is not loopback: the API server proxies to no loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def add_server(
    apiserver: RunningApiServer,
    name: str,
    data: Mapping[str, str],
    *,
    image: str = "registry.k8s.io/coredns/coredns:v1.11.3",
    kind: str = "deployments",
    **metadata: Any,  # noqa: ANN401 - of the ConfigMap
) -> None:
    """Create a ConfigMap and the workload that mounts it, and coredns-custom if there is one."""
    labels = {"k8s-app": name}
    apiserver.ask("POST", f"{SYSTEM}/configmaps", {"metadata": {"name": name, **metadata}, "data": dict(data)})
    pod = {
        "containers": [
            {
                "name": "dns",
                "image": image,
                "volumeMounts": [
                    {"name": "config", "mountPath": "/etc/coredns"},
                    {"name": "custom", "mountPath": "/etc/coredns/custom"},
                ],
            }
        ],
        "volumes": [
            {"name": "config", "configMap": {"name": name}},
            {"name": "custom", "configMap": {"name": "coredns-custom", "optional": True}},
        ],
    }
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    apiserver.ask("POST", f"{APPS}/{kind}", {"metadata": {"name": name}, "spec": spec})


def add_service(apiserver: RunningApiServer, app: str, address: str) -> None:
    """Create the Service for DNS that selects the pods of a server."""
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    spec = {"clusterIP": address, "selector": {"k8s-app": app}, "ports": ports}
    apiserver.ask("POST", f"{SYSTEM}/services", {"metadata": {"name": "kube-dns"}, "spec": spec})


@contextmanager
def following(apiserver: RunningApiServer, dns: DnsServer, name: str = "coredns") -> Iterator[None]:
    """Let the stand-in answer what the lines of `hosts` in a ConfigMap say, as CoreDNS would after a reload."""
    ended = threading.Event()

    def follow() -> None:
        known: dict[str, str] | None = None
        while not ended.wait(0.05):
            text = apiserver.ask("GET", f"{SYSTEM}/configmaps/{name}")["data"]["Corefile"]
            names = {host: address for address, host in _ENTRY.findall(text)}
            if names != known:
                known = names
                dns.answer(names)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(20)


def count_changes(apiserver: RunningApiServer, name: str) -> int:
    """Return the generation of a Deployment: 1, and one more for each restart of its pods."""
    return int(apiserver.ask("GET", f"{APPS}/deployments/{name}")["metadata"]["generation"])


@contextmanager
def rolling_out(apiserver: RunningApiServer, name: str, *, available: bool = True) -> Iterator[None]:
    """Be the controller of a Deployment: each change of it has new pods, which become available or do not."""
    ended = threading.Event()
    path = f"{APPS}/deployments/{name}"

    def roll_out() -> None:
        done = 0
        while not ended.wait(0.05):
            generation = count_changes(apiserver, name)
            if generation == done:
                continue
            up = int(available)
            counts = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": up, "availableReplicas": up}
            status = {"status": {"observedGeneration": generation, **counts}}
            apiserver.ask("PATCH", f"{path}/status", status, kind="application/merge-patch+json")
            done = generation

    thread = threading.Thread(target=roll_out, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(20)


def remove_servers(apiserver: RunningApiServer) -> None:
    """Delete every workload, ConfigMap, Service and pod of kube-system."""
    for service in apiserver.ask("GET", f"{SYSTEM}/services")["items"]:
        apiserver.ask("DELETE", f"{SYSTEM}/services/{service['metadata']['name']}")
    for path in (f"{APPS}/deployments", f"{APPS}/daemonsets", f"{SYSTEM}/configmaps", f"{SYSTEM}/pods"):
        apiserver.ask("DELETE", f"{path}?gracePeriodSeconds=0", {"gracePeriodSeconds": 0})


@dataclass
class DnsPod:
    """A pod as its metrics show it; `reads` gets the ConfigMap's new text and says whether it loads."""

    port: int
    failed: int = 0
    version: str = "v1"
    reads: list[bool] = field(default_factory=list)
    looks: int = 0

    def render(self) -> str:
        """The metrics; every third look reads one more text."""
        self.looks += 1
        if self.looks > 2 and self.reads:
            self.version += "x"
            self.failed += not self.reads.pop(0)
        return (
            f"# TYPE coredns_reload_failed_total counter\ncoredns_reload_failed_total {self.failed}\n"
            f'coredns_reload_version_info{{hash="sha512",value="{self.version}"}} 1\n'
        )


@contextmanager
def running_pod(apiserver: RunningApiServer, app: str, *, loads: bool | None = None) -> Iterator[DnsPod]:
    """A pod of a server, whose metrics this process answers; with `loads` it reads the new text, which loads or not."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pod.render().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name is the base class's
            pass

    address = find_own_address()
    with ThreadingHTTPServer((address, 0), Handler) as server:
        pod = DnsPod(port=server.server_port, reads=[] if loads is None else [loads])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        name = f"{app}-1"
        spec = {"containers": [{"name": "dns", "image": "coredns"}], "nodeName": "node1"}
        apiserver.ask("POST", f"{SYSTEM}/pods", {"metadata": {"name": name, "labels": {"k8s-app": app}}, "spec": spec})
        status = {"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}}
        apiserver.ask("PATCH", f"{SYSTEM}/pods/{name}/status", status, kind="application/merge-patch+json")
        try:
            yield pod
        finally:
            server.shutdown()
