"""After the restart: CRI that does not load, a containerd that hangs, and a kubelet that does not answer any more."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.faults.containerd.place import CONFIG, assert_invariants, describe, expect, read_outcome, wrapped
from tests.faults.controller import Order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode

pytestmark = [pytest.mark.needs("nodes"), pytest.mark.timeout(600)]

# kubelet reports a runtime without CRI after 27 seconds.
_UNSEEN = 25
_CNI = "/etc/cni/net.d/10-lab.conflist"
_NETWORK = '{"cniVersion": "0.4.0", "name": "lab", "plugins": [{"type": "loopback"}]}\n'
_MIRRORS = '\\n[plugins."io.containerd.grpc.v1.cri".registry.mirrors.h]\\nendpoint = ["http://h"]\\n'
_KUBELET = """\
#!/bin/sh
busybox httpd -f -p 127.0.0.1:10300 -h /srv/kubelet &
wait
"""
_WATCH = """\
while :; do
  ctr plugins ls 2>/dev/null | grep -q '^io.containerd.grpc.v1 *cri .*ok' && loaded=yes || loaded=no
  read -r now _ </proc/uptime
  echo "$now $loaded" >>/var/watched
  sleep 0.2
done
"""


@contextmanager
def _watched(node: LabNode) -> Iterator[list[float]]:
    """Note when CRI is loaded; when the block has ended, the list holds the longest time in seconds without it."""
    node.run('systemd-run --quiet --unit=watch /bin/sh -c "$(cat)"', stdin=_WATCH.encode())
    longest: list[float] = []
    yield longest
    node.run("systemctl stop watch")
    seen = [line.split() for line in node.run("cat /var/watched; rm /var/watched").stdout.splitlines()]
    assert (seen[0][1], seen[-1][1]) == ("yes", "yes"), seen
    last_loaded, gaps = float(seen[0][0]), [0.0]
    for now, loaded in seen:
        if loaded == "yes":
            gaps.append(float(now) - last_loaded)
            last_loaded = float(now)
    longest.append(max(gaps))


@contextmanager
def _answering_kubelet(node: LabNode) -> Iterator[None]:
    """Answer as a kubelet does on the health port that its file names, as long as /srv/kubelet has the file."""
    node.run("mkdir -p /srv/kubelet /srv/bin && printf ok >/srv/kubelet/healthz")
    node.run("cat >/srv/bin/kubelet && chmod 755 /srv/bin/kubelet", stdin=_KUBELET.encode())
    node.run("printf 'kind: KubeletConfiguration\nhealthzPort: 10300\n' >/srv/kubelet.yaml")
    options = "--config /srv/kubelet.yaml --container-runtime-endpoint=unix:///run/containerd/containerd.sock"
    node.run(f"systemd-run --quiet --unit=kubelet-stand-in /srv/bin/kubelet {options}")
    try:
        yield
    finally:
        node.run("systemctl stop kubelet-stand-in; rm -rf /srv/kubelet /srv/bin /srv/kubelet.yaml")


@contextmanager
def _network_configured(node: LabNode) -> Iterator[None]:
    """Have CRI report NetworkReady, from a configuration of CNI that no pod of the node uses."""
    node.run(f"mkdir -p {_CNI.rpartition('/')[0]} && cat >{_CNI}", stdin=_NETWORK.encode())
    node.run("systemctl restart containerd")
    node.wait_ready()
    try:
        yield
    finally:
        node.run(f"rm -f {_CNI}; rmdir -p {_CNI.rpartition('/')[0]}", check=False)


def test_a_condition_that_cri_no_longer_reports_rolls_back(order: Order) -> None:
    """The configuration of the network is gone after the restart: back with the earlier files, or gone for good."""
    nodes = order.nodes[:2]
    for_now, for_good = nodes
    order = Order(site=order.site, nodes=nodes, entry=order.entry)
    expected = expect(order)
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(_network_configured(node))
        stack.enter_context(wrapped(for_now, f"mv {_CNI} /root/kept; else mv /root/kept {_CNI}"))
        stack.enter_context(wrapped(for_good, f"rm -f {_CNI}"))
        ended = order.apply()
        assert [read_outcome(ended, node) for node in nodes] == [
            "rolled_back cri-not-ready",
            "rollback_failed cri-not-ready",
        ], describe(ended)
        for node in nodes:
            assert "CRI does not report NetworkReady, as it did before" in ended.node(node.name)["reason"]
    assert assert_invariants(order, expected, ended) == dict.fromkeys(expected, "old")


def test_the_way_back_is_short_and_stops_no_pod(order: Order) -> None:
    patient = Order(site=order.site, nodes=order.nodes, health_deadline=10, entry=order.entry)
    without_cri, hanging, with_kubelet = order.nodes
    broken = "/root/broken.toml"
    no_cri = f"{{ cat {CONFIG}; printf '{_MIRRORS}'; }} >{broken}; exec /usr/bin/containerd --config {broken}"
    expected = expect(order)
    with ExitStack() as stack:
        stack.enter_context(wrapped(without_cri, no_cri))
        stack.enter_context(wrapped(hanging, "trap '' TERM; while :; do sleep 1; done"))
        stack.enter_context(_answering_kubelet(with_kubelet))
        # The one that answers for kubelet finds nothing any more as long as containerd runs with the change.
        gone = "rm -f /srv/kubelet/healthz; else mkdir -p /srv/kubelet; printf ok >/srv/kubelet/healthz"
        stack.enter_context(wrapped(with_kubelet, gone))
        watched = [stack.enter_context(_watched(node)) for node in order.nodes]
        ended = patient.apply()
        assert [read_outcome(ended, node) for node in order.nodes] == [
            "rolled_back cri-not-loaded",
            "rolled_back containerd-start-timeout",
            "rolled_back kubelet-not-healthy",
        ], describe(ended)
        assert "`mirrors` cannot be set when `config_path` is provided" in ended.node(without_cri.name)["reason"]
        assert "127.0.0.1:10300/healthz" in ended.node(with_kubelet.name)["reason"]
        without_cri.run(f"rm {broken}")
    assert assert_invariants(order, expected, ended) == dict.fromkeys(expected, "old")
    assert max(longest for (longest,) in watched) < _UNSEEN
