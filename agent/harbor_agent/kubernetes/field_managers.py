"""Field managers in plain words: the API server knows a writer only by a name that the writer chose."""

from __future__ import annotations

import re
from typing import Final

# A writer that names no manager is known by its user agent up to the first slash (apiserver, managerOrUserAgent).
_NAMES: Final = (
    (r"Mozilla", "in a browser (KubeSphere's console)"),
    (r"kubectl-(create|edit|patch|replace|apply|label|annotate)", r"by kubectl \1"),
    (r"kubectl-client-side-apply", "by kubectl apply"),
    (r"kubectl", "by kubectl apply --server-side"),
    (r"kubectl-.*", r"by \g<0>"),
    (r"argocd-controller|argocd-application-controller", "by Argo CD (argocd-controller), which writes it again"),
    (r"kustomize-controller", "by Flux (kustomize-controller), which writes it again"),
    (r"helm-controller", "by Flux (helm-controller), which writes it again"),
    (r"helm", "by Helm, which writes it again with the next upgrade"),
    (
        r"external-secrets|externalsecrets\..*",
        "by the External Secrets Operator (external-secrets), which writes it again",
    ),
    (r"velero-server", "by Velero (velero-server), which restored it from a backup"),
)


def describe_manager(name: str) -> str:
    """Return how a field manager wrote, such as "by kubectl edit"; an unknown one is quoted by its name."""
    for pattern, words in _NAMES:
        if found := re.fullmatch(pattern, name):
            return found.expand(words)
    return f"by {name}"
