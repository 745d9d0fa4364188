"""Missing rights: the message, and a manifest that an administrator can apply to grant them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_GROUP = "rbac.authorization.k8s.io"
_UNNAMED_USER = "the kubeconfig's user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a Role: verbs on a resource, a plural such as "pods/eviction". `group` "" is the core API."""

    group: str = ""
    resource: str
    verbs: tuple[str, ...]


def describe_missing_right(user: str, request: str) -> str:
    """Return the message for a request such as "list nodes"; `user` is "" if the server did not name it."""
    return f"{user or _UNNAMED_USER} is not allowed to {request}"


def read_user(message: str) -> str:
    """Return the user that `describe_missing_right` put into a message, "" if it had none."""
    match = re.match(r"(.+?) is not allowed to ", message)
    return match[1] if match and match[1] != _UNNAMED_USER else ""


def render_role(name: str, rules: tuple[Rule, ...], *, namespace: str, user: str) -> str:
    """Return a Role with these rules and its binding to `user` as YAML; a ClusterRole if `namespace` is "".

    A service account is bound by its user name too: `system:serviceaccount:NAMESPACE:NAME`.
    """
    import yaml  # noqa: PLC0415  (kept out of start-up)

    kind = "Role" if namespace else "ClusterRole"
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    role = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": kind,
        "metadata": metadata,
        "rules": [{"apiGroups": [r.group], "resources": [r.resource], "verbs": list(r.verbs)} for r in rules],
    }
    binding = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": f"{kind}Binding",
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": _GROUP, "kind": kind, "name": name},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": user}],
    }
    return str(yaml.safe_dump_all([role, binding], sort_keys=False, default_flow_style=None, width=1000))


def build_role_hint(name: str, rules: tuple[Rule, ...], *, namespace: str, user: str) -> str:
    """Return the command that an administrator can run to grant the rules, with the manifest in it."""
    manifest = render_role(name, rules, namespace=namespace, user=user)
    return f"an administrator can grant it:\nkubectl apply -f - <<'END'\n{manifest}END"
