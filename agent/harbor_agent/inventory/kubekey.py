"""KubeKey files as inventories: `kind: Cluster` (KubeKey 1 to 3) and `kind: Inventory` (KubeKey 4).

Roles become groups, and KubeKey's connection settings become the variables of Ansible for them, with KubeKey's defaults
(github.com/kubesphere/kubekey: apis/kubekey/v1alpha2 of 3.x, api/core/v1 and pkg/connector of 4.x).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from harbor_agent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_OURS = re.compile(r"^[\"']?apiVersion[\"']?:[ \t]*[\"']?kubekey\.kubesphere\.io/", re.MULTILINE)
_RANGE = re.compile(r"(.*?)\[(\d+):(\d+)\]")
_ROOT = "root"
_LOCALHOST = "localhost"
_DISCARD = 9
_OWN_PREFIX = "harbor_"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A role: the names of its hosts and subgroups, and its variables (`harbor_…` only)."""

    hosts: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    variables: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machines:
    """The content of a file: hosts with their variables, groups, and variables of all hosts (`harbor_…` only)."""

    hosts: Mapping[str, Mapping[str, object]]
    groups: Mapping[str, Group]
    variables: Mapping[str, object] = field(default_factory=dict)


def is_kubekey(text: str) -> bool:
    """Whether `text` is the content of a KubeKey file."""
    return _OURS.search(text) is not None


def parse_machines(text: str, path: str) -> Machines:
    """Return the machines of a KubeKey file. Raises UsageError with the path and the place in the file."""
    reader = _Reader(path)
    try:
        documents = [document for document in yaml.load_all(text, Loader=_LOADER) if isinstance(document, Mapping)]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        message = f"{path}:{line}: {error.problem or 'invalid YAML'}"
        raise UsageError.of("inventory-unparsable", message, "correct the YAML syntax") from None
    # `kk create config --with-kubesphere` writes the settings of KubeSphere to the same file.
    ours = [document for document in documents if str(document.get("apiVersion")).startswith("kubekey.kubesphere.io/")]
    for document in ours:
        parse = _PARSERS.get(str(document.get("kind")))
        if parse:
            return parse(reader, reader.read_mapping(document.get("spec"), "spec"))
    kinds = ", ".join(str(document.get("kind")) for document in ours)
    raise reader.build_error(f"kind {kinds} has no hosts", "name the file of kind Cluster or Inventory")


class _Reader:
    """Reads values of one file, and puts its path into every error."""

    def __init__(self, path: str) -> None:
        self.path = path

    def build_error(self, message: str, hint: str = "compare the file with one of kk create config") -> UsageError:
        return UsageError.of("inventory-unparsable", f"{self.path}: {message}", hint)

    def read_mapping(self, value: object, place: str) -> Mapping[str, object]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise self.build_error(f"{place} must be a mapping")
        return value

    def read_list(self, value: object, place: str) -> list[object]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.build_error(f"{place} must be a list")
        return value


def _parse_cluster(reader: _Reader, spec: Mapping[str, object]) -> Machines:
    """Parse a Cluster as SetDefaultHostsCfg and ParseRolesList do."""
    hosts: dict[str, Mapping[str, object]] = {}
    for number, item in enumerate(reader.read_list(spec.get("hosts"), "spec.hosts")):
        host = reader.read_mapping(item, f"spec.hosts[{number}]")
        name = _read_text(host, "name")
        if name is None:
            raise reader.build_error(f"spec.hosts[{number}] has no name")
        address = _read_text(host, "address") or _read_text(host, "internalAddress")
        if address is None:
            raise reader.build_error(f"host {name} has neither address nor internalAddress")
        _refuse_inline_key(reader, name, host, "privateKey", "privateKeyPath")
        hosts[name] = _build_login(host, address=address, key_file=_read_text(host, "privateKeyPath"))
    groups = {}
    for role, members in reader.read_mapping(spec.get("roleGroups"), "spec.roleGroups").items():
        place = f"spec.roleGroups.{role}"
        names = tuple(_expand_ranges(str(member) for member in reader.read_list(members, place)))
        _require_hosts(reader, names, hosts, place)
        groups[str(role)] = Group(hosts=names)
    return Machines(hosts=hosts, groups=groups)


def _parse_inventory(reader: _Reader, spec: Mapping[str, object]) -> Machines:
    """Parse an Inventory as newSSHConnector does: a host overrides its groups, and a group `spec.vars`."""
    common = reader.read_mapping(spec.get("vars"), "spec.vars")
    raw_groups = {
        str(name): reader.read_mapping(value, f"spec.groups.{name}")
        for name, value in reader.read_mapping(spec.get("groups"), "spec.groups").items()
    }
    members = {
        name: tuple(map(str, reader.read_list(group.get("hosts"), f"spec.groups.{name}.hosts")))
        for name, group in raw_groups.items()
    }
    own = dict(reader.read_mapping(spec.get("hosts"), "spec.hosts"))
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
        hosts[str(name)] = {**_build_connection(reader, str(name), connector), **_select_own(host)}
    groups = {}
    for name, group in raw_groups.items():
        _require_hosts(reader, members[name], hosts, f"spec.groups.{name}")
        children = tuple(map(str, reader.read_list(group.get("groups"), f"spec.groups.{name}.groups")))
        groups[name] = Group(hosts=members[name], children=children, variables=_select_own(group_variables[name]))
    return Machines(hosts=hosts, groups=groups, variables=_select_own(common))


def _build_connection(reader: _Reader, name: str, connector: Mapping[str, object]) -> Mapping[str, object]:
    address = _read_text(connector, "host") or name
    kind = _read_text(connector, "type") or ("local" if _is_this_machine(name, address) else "ssh")
    if kind == "local":
        return {"ansible_connection": "local"}
    if kind != "ssh":
        # Rejected later as an unsupported connection, unless the host is skipped.
        return {"ansible_connection": kind}
    _refuse_inline_key(reader, name, connector, "private_key_content", "private_key")
    return _build_login(connector, address=address, key_file=_read_text(connector, "private_key"))


def _build_login(host: Mapping[str, object], *, address: str, key_file: str | None) -> Mapping[str, object]:
    """Return Ansible's variables: the user is root by default; any other user has sudo with the login password."""
    user, password = _read_text(host, "user") or _ROOT, _read_text(host, "password")
    variables: dict[str, object | None] = {
        "ansible_host": address,
        "ansible_port": host.get("port") or None,
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
    except OSError:
        return False


def _expand_ranges(names: Iterable[str]) -> Iterator[str]:
    """Expand `node[1:3]` as getHostsRange does: without leading zeros, and without the text behind the range."""
    for name in names:
        found = _RANGE.match(name)
        if found:
            yield from (f"{found[1]}{number}" for number in range(int(found[2]), int(found[3]) + 1))
        else:
            yield name


def _require_hosts(reader: _Reader, names: Iterable[str], hosts: Mapping[str, object], place: str) -> None:
    unknown = [name for name in names if name not in hosts]
    if unknown:
        raise reader.build_error(
            f"{place} has {unknown[0]}, which is not in spec.hosts", "add the host, or correct the name"
        )


def _refuse_inline_key(reader: _Reader, name: str, host: Mapping[str, object], key: str, instead: str) -> None:
    if _read_text(host, key) is not None:
        hint = f"write the key to a file with mode 0600 and set {instead} to its path"
        raise reader.build_error(f"host {name} has an inline private key ({key}), which is not supported", hint)


def _select_own(variables: Mapping[str, object]) -> Mapping[str, object]:
    return {str(name): value for name, value in variables.items() if str(name).startswith(_OWN_PREFIX)}


def _read_text(values: Mapping[str, object], key: str) -> str | None:
    """Return a value as text, as KubeKey does with a password of digits; None if it is missing or empty."""
    value = values.get(key)
    return None if value is None or value == "" else str(value)


_PARSERS = {"Cluster": _parse_cluster, "Inventory": _parse_inventory}
