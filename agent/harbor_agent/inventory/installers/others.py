"""Files of other tools that list nodes but are not inventories, refused with the tool's name and a way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.inventory.installers.reader import load_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKS = re.compile(
    r"^\ufeff?[\"']?(?:apiVersion|masters)[\"']?[ \t]*:|\A\ufeff?\s*\{(?s:.*?)\"(?:apiVersion|desiredState)\"\s*:",
    re.MULTILINE,
)
# The API group of a file, or its end, and whose file that is.
_OWNERS = {
    "k0sctl.k0sproject.io": "k0sctl",
    "k0s.k0sproject.io": "k0s",
    "apps.sealos.io": "sealos",
    "sealos.io": "sealos",
    "sealer.cloud": "sealer",
    "sealer.io": "sealer",
    "sealer.aliyun.com": "sealer",
    "kubeadm.k8s.io": "kubeadm",
    "kubeone.k8c.io": "KubeOne",
    "kubeone.io": "KubeOne",
    "kops.k8s.io": "kops",
    "eksctl.io": "eksctl",
    "k3d.io": "k3d",
    "kind.x-k8s.io": "kind",
    "cluster.x-k8s.io": "Cluster API",
    "kubeclipper.io": "KubeClipper",
    "installer.kubesphere.io": "ks-installer",
    "kurl.sh": "kURL",
    "pke.banzaicloud.com": "PKE",
}
_ADDRESS_KEYS = frozenset(
    {"address", "addresses", "ips", "publicAddress", "masters", "nodes", "hostname", "host", "ip"}
)
_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?")
_MOST_SHOWN = 3
_DEEPEST = 12


def refuse_other_files(text: str, path: str) -> None:
    """Raise UsageError if `text` is the YAML or JSON of a known tool that is not an inventory of Ansible."""
    if not _MARKS.search(text):
        return
    try:
        documents = load_documents(text, path)
    except UsageError:
        return  # Ansible's own attempt reports this
    for document in documents:
        owner = _find_owner(document)
        if owner:
            found = list(dict.fromkeys(address for document in documents for address in _find_addresses(document, 0)))
            message = f"{path}: {owner}, not an inventory"
            raise UsageError.of("inventory-foreign", message, _describe_way_out(found))


def _find_owner(document: Mapping[str, object]) -> str | None:
    """Return whose file a document is, as a noun phrase; None if it may be an inventory of Ansible."""
    version, kind = document.get("apiVersion"), document.get("kind")
    if "plugin" in document:  # the configuration of an inventory plugin
        return None
    if isinstance(version, str) and isinstance(kind, str):
        group = version.rpartition("/")[0]
        for suffix, owner in _OWNERS.items():
            if group == suffix or group.endswith("." + suffix):
                return f"a file of {owner} (kind {kind})"
        return f"a Kubernetes object (apiVersion {version}, kind {kind})"
    if isinstance(document.get("masters"), list) and isinstance(document.get("nodes", []), list):
        return "a file of sealos 3"
    state = document.get("desiredState")
    if isinstance(state, Mapping) and "rkeConfig" in state:
        return "the state file of RKE"
    return None


def _find_addresses(value: object, depth: int, key: str = "") -> Iterator[str]:
    """Yield what looks like IPv4 addresses of nodes, with their ports."""
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _find_addresses(item, depth + 1, str(name) if isinstance(name, str) else "")
    elif isinstance(value, list):
        for item in value:
            yield from _find_addresses(item, depth + 1, key)
    elif isinstance(value, str) and key in _ADDRESS_KEYS and _IPV4.fullmatch(value):
        yield value


def _describe_way_out(addresses: list[str]) -> str:
    shown = ",".join(addresses[:_MOST_SHOWN]) or "10.0.0.1,10.0.0.2"
    more = "…" if len(addresses) > _MOST_SHOWN else ""
    return (
        f"name the nodes: -i '{shown},{more}', or write an INI file with lines of the form"
        " 'node1 ansible_host=10.0.0.1 ansible_user=root'"
    )
