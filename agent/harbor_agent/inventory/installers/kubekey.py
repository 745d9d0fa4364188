"""KubeKey files as inventories: `kind: Cluster` (KubeKey 1 to 3) and `kind: Inventory` (KubeKey 4).

Roles become groups, and KubeKey's connection settings become the variables of Ansible for them, with KubeKey's defaults
(github.com/kubesphere/kubekey: apis/kubekey/v1alpha2 of 3.x, api/core/v1 and pkg/connector of 4.x).
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from harbor_agent.inventory.installers.reader import Group, Machines, Reader, load_documents

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_OURS = re.compile(r"^\ufeff?[\"']?apiVersion[\"']?:[ \t]*[\"']?kubekey\.kubesphere\.io/", re.MULTILINE)
_RANGE = re.compile(r"(.*?)\[(\d+):(\d+)\]")
_ROOT = "root"
_LOCALHOST = "localhost"
_DISCARD = 9
_OWN_PREFIX = "harbor_"
_LONGEST_RANGE = 10_000
_HINT = "compare the file with one of kk create config"


def is_kubekey(text: str) -> bool:
    """Whether `text` is the content of a KubeKey file."""
    return _OURS.search(text) is not None


def parse_machines(text: str, path: str) -> Machines:
    """Return the machines of a KubeKey file. Raises UsageError with the path and the place in the file."""
    reader = Reader(path, _HINT)
    documents = load_documents(text, path)
    # `kk create config --with-kubesphere` writes the settings of KubeSphere to the same file.
    kinds = {str(document["kind"]): document for document in documents if _is_ours(document)}
    known = [document for document in documents if _is_ours(document) and document["kind"] in _PARSERS]
    if not known:
        raise reader.build_error(f"kind {', '.join(kinds)} has no hosts", "name the file of kind Cluster or Inventory")
    if len(known) > 1:
        raise reader.build_error(f"{len(known)} documents have hosts", "keep one cluster in the file")
    return _PARSERS[str(known[0]["kind"])](reader, reader.read_mapping(known[0].get("spec"), "spec"))


def _is_ours(document: Mapping[str, object]) -> bool:
    version, kind = document.get("apiVersion"), document.get("kind")
    return isinstance(version, str) and version.startswith("kubekey.kubesphere.io/") and isinstance(kind, str)


def _parse_cluster(reader: Reader, spec: Mapping[str, object]) -> Machines:
    """Parse a Cluster as SetDefaultHostsCfg and ParseRolesList do."""
    found = [
        _parse_host(reader, reader.read_mapping(item, f"spec.hosts[{number}]"), f"spec.hosts[{number}]")
        for number, item in enumerate(reader.read_list(spec.get("hosts"), "spec.hosts"))
    ]
    reader.require_unique(((name, str(host["ansible_host"])) for name, host in found), "spec.hosts")
    hosts = dict(found)
    groups = {}
    for role, members in reader.read_mapping(spec.get("roleGroups"), "spec.roleGroups").items():
        place = f"spec.roleGroups.{role}"
        names = tuple(_expand_ranges(reader, reader.read_names(members, place), place))
        _require_hosts(reader, names, hosts, place)
        groups[str(role)] = Group(hosts=names)
    return Machines(hosts=hosts, groups=groups)


def _parse_host(reader: Reader, host: Mapping[str, object], place: str) -> tuple[str, Mapping[str, object]]:
    name = reader.read_text(host, "name", place)
    if name is None:
        raise reader.build_error(f"{place} has no name")
    where = f"host {name}"
    address = reader.read_text(host, "address", where) or reader.read_text(host, "internalAddress", where)
    if address is None:
        raise reader.build_error(f"{where} has neither address nor internalAddress")
    _refuse_inline_key(reader, name, host, "privateKey", "privateKeyPath")
    key_file = reader.read_text(host, "privateKeyPath", where)
    return name, _build_login(reader, where, host, address=address, key_file=key_file)


def _parse_inventory(reader: Reader, spec: Mapping[str, object]) -> Machines:
    """Parse an Inventory as newSSHConnector does: a host overrides its groups, and a group `spec.vars`."""
    common = reader.read_mapping(spec.get("vars"), "spec.vars")
    raw_groups = {
        str(name): reader.read_mapping(value, f"spec.groups.{name}")
        for name, value in reader.read_mapping(spec.get("groups"), "spec.groups").items()
    }
    members = {
        name: reader.read_names(group.get("hosts"), f"spec.groups.{name}.hosts") for name, group in raw_groups.items()
    }
    own = {str(name): host for name, host in reader.read_mapping(spec.get("hosts"), "spec.hosts").items()}
    if any(_LOCALHOST in names for names in members.values()):
        own.setdefault(_LOCALHOST, None)  # KubeKey adds it to the hosts
    group_variables = {
        name: reader.read_mapping(g.get("vars"), f"spec.groups.{name}.vars") for name, g in raw_groups.items()
    }
    hosts = {}
    for name, value in own.items():
        host = reader.read_mapping(value, f"spec.hosts.{name}")
        layers = [common, *(group_variables[group] for group, names in members.items() if name in names), host]
        connector: dict[str, object] = {}
        for layer in layers:
            connector |= reader.read_mapping(layer.get("connector"), f"connector of {name}")
        hosts[name] = {**_build_connection(reader, name, connector), **_select_own(host)}
    groups = {}
    for name, group in raw_groups.items():
        _require_hosts(reader, members[name], hosts, f"spec.groups.{name}")
        children = reader.read_names(group.get("groups"), f"spec.groups.{name}.groups")
        groups[name] = Group(hosts=members[name], children=children, variables=_select_own(group_variables[name]))
    return Machines(hosts=hosts, groups=groups, variables=_select_own(common))


def _build_connection(reader: Reader, name: str, connector: Mapping[str, object]) -> Mapping[str, object]:
    where = f"the connector of {name}"
    address = reader.read_text(connector, "host", where) or name
    kind = reader.read_text(connector, "type", where) or ("local" if _is_this_machine(name, address) else "ssh")
    if kind == "local":
        return {"ansible_connection": "local"}
    if kind != "ssh":
        # Rejected later as an unsupported connection, unless the host is skipped.
        return {"ansible_connection": kind}
    _refuse_inline_key(reader, name, connector, "private_key_content", "private_key")
    key_file = reader.read_text(connector, "private_key", where)
    return _build_login(reader, where, connector, address=address, key_file=key_file)


def _build_login(
    reader: Reader, where: str, host: Mapping[str, object], *, address: str, key_file: str | None
) -> Mapping[str, object]:
    """Return Ansible's variables: the user is root by default; any other user has sudo with the login password."""
    user = reader.read_text(host, "user", where) or _ROOT
    password = reader.read_text(host, "password", where)
    variables: dict[str, object | None] = {
        "ansible_host": address,
        "ansible_port": reader.read_text(host, "port", where) if host.get("port") else None,
        "ansible_user": user,
        "ansible_password": password,
        "ansible_private_key_file": key_file,
    }
    if user != _ROOT:
        variables |= {"ansible_become": True, "ansible_become_method": "sudo", "ansible_become_password": password}
    return {name: value for name, value in variables.items() if value is not None}


def _is_this_machine(name: str, address: str) -> bool:
    """Whether KubeKey 4 would not use SSH: by the name, or because the address is one of this machine's own."""
    if name in (_LOCALHOST, socket.gethostname()):
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.inet_pton(family, address)
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _DISCARD))  # sends nothing; the route to an own address begins at that address
            return str(probe.getsockname()[0]) == address
    except (OSError, ValueError):  # ValueError: characters that no address has
        return False


def _expand_ranges(reader: Reader, names: Iterable[str], place: str) -> Iterator[str]:
    """Expand `node[1:3]` as getHostsRange does: without leading zeros, and without the text behind the range."""
    for name in names:
        found = _RANGE.match(name)
        if found and max(len(found[2]), len(found[3])) > len(str(_LONGEST_RANGE)):
            raise reader.build_error(f"{place} has {name[:80]}, which is more than {_LONGEST_RANGE} hosts")
        if found:
            yield from (f"{found[1]}{number}" for number in range(int(found[2]), int(found[3]) + 1))
        else:
            yield name


def _require_hosts(reader: Reader, names: Iterable[str], hosts: Mapping[str, object], place: str) -> None:
    unknown = [name for name in names if name not in hosts]
    if unknown:
        raise reader.build_error(
            f"{place} has {unknown[0]}, which is not in spec.hosts", "add the host, or correct the name"
        )


def _refuse_inline_key(reader: Reader, name: str, host: Mapping[str, object], key: str, instead: str) -> None:
    if host.get(key):
        hint = f"write the key to a file with mode 0600 and set {instead} to its path"
        raise reader.build_error(f"host {name} has an inline private key ({key}), which is not supported", hint)


def _select_own(variables: Mapping[str, object]) -> Mapping[str, object]:
    return {str(name): value for name, value in variables.items() if str(name).startswith(_OWN_PREFIX)}


_PARSERS = {"Cluster": _parse_cluster, "Inventory": _parse_inventory}
