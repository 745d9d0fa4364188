"""The CA files of registries, read on the controller before any node is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.local.files import describe_error

if TYPE_CHECKING:
    from harbor_agent.model.policy import Policy, Registry


def read_authorities(policy: Policy) -> Policy:
    """Return the policy with the certificates of each `ca_file`. Raises UsageError that names the file."""
    if not any(registry.ca_file for registry in policy.registries):
        return policy
    return replace(policy, registries=tuple(map(_add_certificates, policy.registries)))


def _add_certificates(registry: Registry) -> Registry:
    if not registry.ca_file:
        return registry
    from harbor_agent.formats.certificates import LARGEST_CA, read_authorities  # noqa: PLC0415 - slow to import

    file = Path(registry.ca_file).expanduser()
    try:
        with file.open("rb") as stream:
            data = stream.read(LARGEST_CA + 1)
    except OSError as error:
        message = f"cannot read the CA of {registry.address} from {file}: {describe_error(error)}"
        raise UsageError.of("ca-file-unreadable", message, "check ca_file") from None
    if len(data) > LARGEST_CA:
        message = f"{file} is larger than {LARGEST_CA >> 10} KiB, too large for the CA of one registry"
        raise UsageError.of("ca-not-pem", message, "name a file with the CA of this registry only")
    return replace(registry, ca=read_authorities(data, str(file), datetime.now(UTC)).pem)
