"""A node that has DNS: an sshd and a stand-in for CoreDNS, dnsmasq, in a network and PID namespace of its own.

What listens on the address of a Service or of kubelet's clusterDNS is reached from that namespace only, as on a node of
a cluster; tests get there through sshd.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.network import end_processes_in, ip
from tests.lab.waiting import wait_until
from tests.transport.sshd import public_folder, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from tests.transport.sshd import Server

CLUSTER_DNS = "10.0.0.10"  # in the range of the API server's Services
_NUMBERS = itertools.count()
# kubelet's name and options are all that is read of it.
_KUBELET = '{home}/kubelet --cluster-dns={address} & exec "$@"'


@dataclass(frozen=True, kw_only=True)
class DnsNode:
    """The node. `server` is its sshd, `namespace` its network namespace."""

    server: Server
    namespace: str

    @property
    def inventory(self) -> str:
        """The node as a line of an inventory."""
        host = self.server
        options = f"-o UserKnownHostsFile={host.known_hosts} -o GlobalKnownHostsFile=/dev/null"
        return (
            f"node1 ansible_host={host.address} ansible_port={host.port} ansible_user=root "
            f"ansible_ssh_private_key_file={host.key} ansible_ssh_common_args='{options}'\n"
        )

    def serving_dns(self, address: str = CLUSTER_DNS) -> AbstractContextManager[DnsServer]:
        """Run the stand-in at an address of the node."""
        return serving_dns(self.namespace, self.server.home, address)


@dataclass(frozen=True, kw_only=True)
class DnsServer:
    """The running stand-in, and the file with its names."""

    process: subprocess.Popen[bytes]
    hosts: Path

    def answer(self, names: Mapping[str, str]) -> None:
        """Answer these names with these addresses from now on."""
        self.hosts.write_text("".join(f"{address} {name}\n" for name, address in names.items()))
        os.kill(self.process.pid, signal.SIGHUP)


@contextmanager
def serving_dns(namespace: str, folder: Path, address: str = CLUSTER_DNS) -> Iterator[DnsServer]:
    """Run dnsmasq at an address of a network namespace; it knows the names it is given, and denies others of `lan`."""
    hosts = folder / f"hosts-{address}"
    hosts.write_text("")
    options = [f"--addn-hosts={hosts}", f"--listen-address={address}", "--port=53", "--bind-interfaces"]
    quiet = ["--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--local=/lan/", "--pid-file", "--user=root"]
    command = ["ip", "netns", "exec", namespace, "dnsmasq", "--keep-in-foreground", *options, *quiet]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        wait_until(lambda: _listens(process, address), f"dnsmasq listens on {address}", seconds=20)
        yield DnsServer(process=process, hosts=hosts)
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def dns_node(*, extra: str = "", kubelet: bool = True) -> Iterator[DnsNode]:
    """Run a node; `extra` goes into the configuration of its sshd."""
    number = next(_NUMBERS)
    space, link = f"harbor-agent-dns-{os.getpid()}-{number}", f"hd{os.getpid()}.{number}"
    here, there = (f"10.97.{os.getpid() % 200}.{4 * number + own}" for own in (1, 2))
    with ExitStack() as stack:
        ip("netns", "add", space)
        stack.callback(ip, "netns", "del", space)
        ip("link", "add", link, "type", "veth", "peer", "name", "host0", "netns", space)
        ip("addr", "add", f"{here}/30", "dev", link)
        ip("link", "set", link, "up")
        for address, device in ((f"{there}/30", "host0"), (f"{CLUSTER_DNS}/32", "lo")):
            ip("-n", space, "addr", "add", address, "dev", device)
            ip("-n", space, "link", "set", device, "up")
        home = stack.enter_context(public_folder())
        (home / "kubelet").write_text("#!/bin/sh\nwhile :; do sleep 60; done\n")
        (home / "kubelet").chmod(0o755)
        start = _KUBELET.format(home=home, address=CLUSTER_DNS) if kubelet else 'exec "$@"'
        own_processes = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "/bin/sh", "-c", start, "sh")
        prefix = ("ip", "netns", "exec", space, *own_processes)
        server = stack.enter_context(serving(home, extra=extra, address=there, port=22, prefix=prefix))
        # unshare(1) ignores the signal that ends sshd.
        stack.callback(end_processes_in, space)
        yield DnsNode(server=server, namespace=space)


def _listens(process: subprocess.Popen[bytes], address: str) -> bool:
    assert process.poll() is None, f"dnsmasq ended with {process.returncode}"
    written = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    return f" {written}:0035 " in Path(f"/proc/{process.pid}/net/tcp").read_text()
