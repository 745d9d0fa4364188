"""The rights that are missing, as a manifest to hand to somebody who may grant them; pure."""

from __future__ import annotations

from dataclasses import dataclass

_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a Role: verbs on a resource, a plural such as "pods/eviction". `group` "" is the core API."""

    group: str = ""
    resource: str
    verbs: tuple[str, ...]


def role_manifest(name: str, rules: tuple[Rule, ...], *, namespace: str, user: str) -> str:
    """Return a Role with these rules and its binding to `user` as YAML; for the whole cluster where `namespace` is "".

    A service account is bound by its user name, `system:serviceaccount:NAMESPACE:NAME`, too.
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


def role_hint(name: str, rules: tuple[Rule, ...], *, namespace: str, user: str) -> str:
    """Return a hint: the command to run for whoever may grant rights, the manifest within it."""
    manifest = role_manifest(name, rules, namespace=namespace, user=user)
    return f"somebody who may can grant it:\nkubectl apply -f - <<'END'\n{manifest}END"
