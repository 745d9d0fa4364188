"""Two bastions before the nodes of a lab, each an sshd in a network namespace of its own.

    controller -- bastion1 -- bastion2 -- nodes

Nothing is forwarded on the way but by sshd: the nodes' inner addresses are reached from the second bastion only, and
that one from the first.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.lab.network import ip
from tests.transport.sshd import public_folder, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.node import LabNode
    from tests.lab.nodes import Lab
    from tests.transport.sshd import Server

_FIRST, _SECOND = "10.98.1.2", "10.98.2.2"
_PORT = 2222


@dataclass(frozen=True, slots=True, kw_only=True)
class Bastions:
    """The two servers: root logs in to the first on port 22, `nopasswd` to the second on port 2222."""

    first: Server
    second: Server

    @staticmethod
    def inner_address(node: LabNode) -> str:
        """The address of a node that the second bastion reaches."""
        return f"10.98.3.{10 + node.number}"


@contextmanager
def bastions_before(lab: Lab) -> Iterator[Bastions]:
    """Put two bastions before the nodes of `lab`; they go with the block, their namespaces with the lab."""
    first, second = f"{lab.name}-b1", f"{lab.name}-b2"
    for space in (first, second):
        ip("netns", "add", space)
        ip("-n", space, "link", "set", "lo", "up")
    _join((lab.name, "10.98.1.1/30"), (first, f"{_FIRST}/30"), "b1")
    _join((first, "10.98.2.1/30"), (second, f"{_SECOND}/30"), "b2")
    ip("-n", second, "link", "add", "inner", "type", "bridge")
    ip("-n", second, "addr", "add", "10.98.3.1/24", "dev", "inner")
    ip("-n", second, "link", "set", "inner", "up")
    for node in lab.nodes:
        outer = f"n{node.number}"
        ip("-n", second, "link", "add", outer, "type", "veth", "peer", "name", "inner0", "netns", node.machine)
        ip("-n", second, "link", "set", outer, "master", "inner", "up")
        ip("-n", node.machine, "addr", "add", f"{Bastions.inner_address(node)}/24", "dev", "inner0")
        ip("-n", node.machine, "link", "set", "inner0", "up")
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                serving(
                    stack.enter_context(public_folder()),
                    address=address,
                    port=port,
                    prefix=("ip", "netns", "exec", space),
                )
            )
            for space, address, port in ((first, _FIRST, 22), (second, _SECOND, _PORT))
        ]
        yield Bastions(first=servers[0], second=servers[1])


def _join(one: tuple[str, str], other: tuple[str, str], name: str) -> None:
    (near, near_address), (far, far_address) = one, other
    ip("-n", near, "link", "add", f"{name}down", "type", "veth", "peer", "name", f"{name}up", "netns", far)
    for space, address, link in ((near, near_address, f"{name}down"), (far, far_address, f"{name}up")):
        ip("-n", space, "addr", "add", address, "dev", link)
        ip("-n", space, "link", "set", link, "up")
