"""A CRI client for the tests: gRPC by the curl of a node to containerd's socket, messages as protobuf.

The numbers are those of https://github.com/kubernetes/cri-api, pkg/apis/runtime/v1/api.proto.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.lab.images import busybox_root, image_archive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.lab.node import LabNode

BUSYBOX = "lab.invalid/busybox:1"
# What containerd 1.6, 1.7 and 2.1 run each pod's first container from.
PAUSE = tuple(f"registry.k8s.io/pause:{version}" for version in ("3.6", "3.8", "3.10"))
_NODES_NETWORK = {2: {1: {1: 2}}}
# ctr reads the variable; k3s and RKE2 have their containerd listen in another place.
_FIND_SOCKET = (
    "export CONTAINERD_ADDRESS=/run/containerd/containerd.sock; "
    "[ ! -S /run/k3s/containerd/containerd.sock ] || CONTAINERD_ADDRESS=/run/k3s/containerd/containerd.sock; "
)


class CriError(Exception):
    """An answer other than OK: `status` is the number of gRPC, 0 if there was no answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"gRPC status {status}: {message}")
        self.status, self.message = status, message


def pull(node: LabNode, image: str, login: tuple[str, str] | None = None) -> str:
    """Pull an image as kubelet does. Raises CriError with containerd's words."""
    request: dict[int, object] = {1: {1: image}}
    if login:
        request[2] = {1: login[0], 2: login[1]}
    return _call(node, "ImageService/PullImage", request)


def remove_image(node: LabNode, image: str) -> None:
    """Remove an image; one that is not there is fine."""
    _call(node, "ImageService/RemoveImage", {1: {1: image}})


def import_images(node: LabNode) -> None:
    """Give the node `BUSYBOX` and the image that containerd starts each pod from, without any registry."""
    image = image_archive(busybox_root(node.base), (BUSYBOX, *PAUSE), ("/bin/busybox", "sleep", "1000000"))
    node.run(f"{_FIND_SOCKET}ctr -n k8s.io images import -", stdin=image)


def start_pod(node: LabNode, name: str) -> str:
    """Start a pod of one container that stays, in the node's network; return the container's ID."""
    sandbox = {1: {1: name, 2: secrets.token_hex(8), 3: "default"}, 8: _NODES_NETWORK}
    pod = _call(node, "RuntimeService/RunPodSandbox", {1: sandbox})
    container = {1: {1: "main"}, 2: {1: BUSYBOX}, 3: ("/bin/busybox", "sleep", "1000000")}
    identity = _call(node, "RuntimeService/CreateContainer", {1: pod, 2: container, 3: sandbox})
    _call(node, "RuntimeService/StartContainer", {1: identity})
    return identity


def list_processes(node: LabNode) -> dict[str, str]:
    """Return the PID and start time of each running container, by its ID."""
    script = (
        _FIND_SOCKET
        + """ctr -n k8s.io tasks ls | while read -r id pid state; do
      [ "$state" != RUNNING ] || echo "$id $pid-$(cut -d ' ' -f 22 /proc/$pid/stat)"; done"""
    )
    return dict(line.split() for line in node.run(script).stdout.splitlines())  # type: ignore[misc]


def _call(node: LabNode, method: str, request: Mapping[int, object]) -> str:
    """Return the first text of the answer, "" if it has none."""
    message = _encode(request)
    frame = b"\0" + len(message).to_bytes(4, "big") + message
    # The answer goes through base64, because the node's output is text.
    script = (
        f"{_FIND_SOCKET}"
        'curl -sS --max-time 60 --http2-prior-knowledge --unix-socket "$CONTAINERD_ADDRESS" -D /tmp/trailers '
        "-H 'content-type: application/grpc' -H 'te: trailers' --data-binary @- -o /tmp/answer "
        f"http://localhost/runtime.v1.{method} && cat /tmp/trailers && base64 -w 0 /tmp/answer; "
        "rm -f /tmp/answer /tmp/trailers"
    )
    done = node.run(script, stdin=frame, check=False, timeout=90)
    *head, answer = done.stdout.rstrip("\n").split("\n")
    trailers = {name: value.strip() for name, _, value in (line.partition(":") for line in head)}
    if trailers.get("grpc-status") != "0":
        status = int(trailers.get("grpc-status", 0))
        raise CriError(status, unquote(trailers.get("grpc-message", done.stderr)))
    body = base64.b64decode(answer)[5:]
    return body[2 : 2 + body[1]].decode() if body[:1] == b"\x0a" else ""


def _encode(message: Mapping[int, object]) -> bytes:
    return b"".join(_encode_field(number, value) for number, value in message.items())


def _encode_field(number: int, value: object) -> bytes:
    match value:
        case int():
            return _encode_number(number << 3) + _encode_number(value)
        case tuple():
            return b"".join(_encode_field(number, each) for each in value)
        case str():
            content = value.encode()
        case dict():
            content = _encode(value)
        case _:
            raise TypeError(value)
    return _encode_number(number << 3 | 2) + _encode_number(len(content)) + content


def _encode_number(number: int) -> bytes:
    encoded = b""
    while number > 0x7F:
        encoded += bytes([number & 0x7F | 0x80])
        number >>= 7
    return encoded + bytes([number])
