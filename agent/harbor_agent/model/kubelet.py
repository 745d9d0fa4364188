"""What was observed of a node's kubelet."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class PodDns:
    """The DNS servers that a kubelet gives to pods, () if not known, and those of the node's own resolv.conf.

    Pods with `dnsPolicy: Default` get the latter, such as CoreDNS.
    """

    servers: tuple[str, ...]
    nameservers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubelet:
    """The kubelet of a node; one that runs in a nested node does not count.

    `argv` is that of its process or, if it does not run, what the files of its unit name. `version` is what the program
    reports, "" if unknown or not needed. `configured_endpoints` are the values of containerRuntimeEndpoint in its
    configuration files, in the order in which they are read; the last one is used. `shim_endpoints` are those on which
    a running cri-dockerd listens. `sockets` maps the path of each socket that exists to "DEVICE:INODE", so that two
    names of one socket are found. `login_files` are the paths at which it looks for registry logins, the first that
    exists counts; empty if they are not known. `answers_for_health` is false if its healthzPort is 0.
    """

    argv: tuple[str, ...]
    version: str = ""
    configured_endpoints: tuple[str, ...] = ()
    shim_endpoints: tuple[str, ...] = ()
    sockets: Mapping[str, str] = field(default_factory=dict)
    login_files: tuple[str, ...] = ()
    answers_for_health: bool = True
