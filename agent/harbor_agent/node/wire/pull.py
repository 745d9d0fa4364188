"""The pull that verifies a node: its program with the login, and its report."""

from __future__ import annotations

import base64
import json
import math
import re
from typing import TYPE_CHECKING

from harbor_agent.formats.pull_output import TIMED_OUT, quote_last_line, read_pull
from harbor_agent.model.program import Program
from harbor_agent.model.runtimes.containers_image import PODMAN
from harbor_agent.model.runtimes.docker import NAME as DOCKER
from harbor_agent.node.wire.framing import compose, decode_text, parse_number, refuse, unframe
from harbor_agent.node.wire.runtimes import RUNTIMES
from harbor_agent.resources import read_node_program

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import Credentials
    from harbor_agent.model.result import PullReport

_SCHEMA = "harbor-agent/pull/2"
_IMAGE = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9._:/@\[\]-]*\Z")


def build_pull_program(
    runtime: str, image: str, credentials: Credentials | None, registry_key: str, *, timeout: float = 60.0
) -> Program:
    """Build the pull of `image` by this runtime of the node, within `timeout` seconds.

    `registry_key` is the key in Docker's `auths` (host[:port], or Docker Hub's URL). The login is sent on standard
    input and is on the node only while the pull runs, in memory. Raises ValueError if `image` is not an image name.
    """
    if not _IMAGE.match(image):
        raise ValueError(f"{image!r} is not an image name")
    payload = {} if credentials is None else _encode_login(runtime, credentials, registry_key)
    arguments = (image, str(max(1, math.ceil(timeout))))
    parts = [read_node_program(part) for part in RUNTIMES[runtime].pull]
    return Program(stdin=compose(parts, payload), arguments=arguments, privileged=True)


def build_login_program(
    runtime: str, registry: Address, credentials: Credentials, *, timeout: float = 60.0
) -> Program | None:
    """Build the login at a registry by this runtime of the node, within `timeout` seconds; None if it has no logins.

    The answer is that of a pull. The login is sent on standard input and is on the node only meanwhile, in memory.
    """
    if not RUNTIMES[runtime].login:
        return None
    payload = {
        "PAYLOAD_USER": credentials.username.encode(),
        "PAYLOAD_PASSWORD": credentials.password.reveal().encode(errors="surrogateescape"),
    }
    parts = [read_node_program(part) for part in RUNTIMES[runtime].login]
    arguments = (registry.config_key, str(max(1, math.ceil(timeout))))
    return Program(stdin=compose(parts, payload), arguments=arguments, privileged=True)


def decode_pull(stdout: bytes, registry: Address) -> PullReport:
    """Decode the output of `build_pull_program`. Raises WireError if it is truncated or has another form."""
    words = dict(line.partition(" ")[::2] for line in unframe(stdout, _SCHEMA))
    try:
        image, status = words["image"], parse_number(words["status"])
        output = decode_text(words["output"]).decode("utf-8", "replace")
    except (KeyError, ValueError):
        raise refuse("node-answer-unknown", "the node's report of the pull is not in a known form") from None
    detail = quote_last_line(output)
    if status == TIMED_OUT:
        detail = f"no end within {words.get('seconds', '?')} s{f': {detail}' if detail else ''}"
    return read_pull(image, registry, output, status=status, detail=detail)


def _encode_login(runtime: str, credentials: Credentials, registry_key: str) -> dict[str, bytes]:
    user, password = credentials.username.encode(), credentials.password.reveal().encode()
    if runtime not in (DOCKER, PODMAN):
        return {"PAYLOAD_USER": user, "PAYLOAD_PASSWORD": password}
    auth = base64.b64encode(user + b":" + password).decode()
    return {"PAYLOAD_CONFIG": json.dumps({"auths": {registry_key: {"auth": auth}}}).encode()}
