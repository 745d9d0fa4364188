"""Names of Kubernetes objects, as the API server accepts them (RFC 1123)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")


def check_names(
    *,
    namespace: str | None = None,
    secret: str | None = None,
    service_accounts: Sequence[str] = (),
    pod: str | None = None,
) -> Problem | None:
    """Return why the first invalid name is refused, None if all are valid.

    A namespace is a DNS label (63 characters at most), a secret, service account or pod a DNS subdomain (253).
    """
    subdomains = [] if secret is None else [("secret name", secret)]
    subdomains += [("service account name", name) for name in service_accounts]
    subdomains += [] if pod is None else [("pod name", pod)]
    invalid = [f"the {kind} '{name}'" for kind, name in subdomains if not _SUBDOMAIN.match(name)]
    if namespace is not None and not _LABEL.match(namespace):
        invalid.append(f"the namespace '{namespace}'")
    if not invalid:
        return None
    return Problem(
        code="kubernetes-name-invalid",
        message=f"{invalid[0]} is not a valid Kubernetes name",
        hint="use lower-case letters, digits and dashes, such as harbor-pull",
    )
