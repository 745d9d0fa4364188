"""What KubeSphere's own check of a pull secret will say, whose certificates are not those of the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.errors import Problem
from harbor_agent.model.policy import SecretPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harbor_agent.model.policy import Registry


def describe_validation(registries: Iterable[Registry]) -> Iterator[Problem]:
    """Yield a note for each registry with a CA of its own: KubeSphere's Validate fails however the nodes trust it.

    It runs in ks-apiserver with the roots of its image. The annotation force-insecure makes KubeSphere 4 skip the
    verification, and 3.x only permits plain HTTP (kubesphere pkg/models/registries).
    """
    for registry in registries:
        secret = registry.secret or SecretPolicy()
        if registry.certificates is None or not registry.certificates.authorities or secret.key_form == "plain":
            continue
        what = f"KubeSphere's own Validate of the secret for {registry.address}"
        if secret.force_insecure:
            message = (
                f"{what} verifies no certificate in KubeSphere 4, and fails in 3.x: its server does not know the CA"
            )
            hint = "nodes and pods are not affected; each edit in KubeSphere's console removes the annotation again"
        else:
            message = f"{what} will fail: its server knows only the CAs of its image"
            hint = (
                "nodes and pods are not affected; 'force_insecure: true' of the secret skips that check in KubeSphere 4"
            )
        yield Problem(code="kubesphere-validate-fails", message=message, hint=hint)
