"""The options of daemon.json: their names, the type of their values, and the versions of dockerd that know them.

From moby cmd/dockerd/config.go and config_unix.go (flags) and daemon/config/config.go and config_linux.go (keys), up to
29. dockerd accepts a key if it is the name of a flag or of an option (findConfigurationConflicts).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Version = tuple[int, int, int]

NEWEST_KNOWN: Version = (29, 999, 0)
# Objects whose members are the value of the option; the members of any other object count as options themselves.
FLAT_OPTIONS = frozenset({
    "builder", "cluster-store-opts", "default-network-opts", "default-ulimits", "features", "log-opts", "nri-opts",
    "runtimes",
})  # fmt: skip


class OptionType(StrEnum):
    """The type that an option's value must have, as an error message names it; ANY is not judged."""

    BOOLEAN = "true or false without quotes"
    INTEGER = "a whole number without quotes"
    STRING = "a string in quotes"
    STRINGS = "a list of strings"
    STRING_OBJECT = "an object whose values are strings in quotes"
    OBJECT = "an object"
    OBJECTS = "a list of objects"
    ANY = "any value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: dockerd knows it since `since`, and refuses it from `until` on."""

    type: OptionType
    since: Version = (0, 0, 0)
    until: Version | None = None


def _list(type_: OptionType, names: str, since: Version = (0, 0, 0)) -> dict[str, Option]:
    return {name: Option(type=type_, since=since) for name in names.split()}


OPTIONS: dict[str, Option] = {
    **_list(
        OptionType.BOOLEAN,
        "debug experimental icc init ip-forward ip-masq iptables ipv6 live-restore no-new-privileges raw-logs"
        " selinux-enabled tls tlsverify userland-proxy disable-legacy-registry",
    ),
    **_list(OptionType.BOOLEAN, "ip6tables", since=(20, 10, 0)),
    **_list(OptionType.BOOLEAN, "allow-direct-routing ip-forward-no-drop", since=(28, 0, 0)),
    **_list(
        OptionType.INTEGER,
        "cpu-rt-period cpu-rt-runtime max-concurrent-downloads max-concurrent-uploads mtu network-control-plane-mtu"
        " network-diagnostic-port oom-score-adjust shutdown-timeout",
    ),
    **_list(OptionType.INTEGER, "max-download-attempts", since=(20, 10, 0)),
    **_list(
        OptionType.STRING,
        "api-cors-header bip bridge cgroup-parent containerd default-gateway default-gateway-v6 default-ipc-mode"
        " default-runtime deprecated-key-path exec-root fixed-cidr fixed-cidr-v6 group init-path ip log-driver"
        " log-level metrics-addr pidfile seccomp-profile storage-driver swarm-default-advertise-addr"
        " tlscacert tlscert tlskey userland-proxy-path userns-remap containerd-namespace containerd-plugins-namespace",
    ),
    **_list(OptionType.STRING, "data-root", since=(17, 5, 0)),
    **_list(OptionType.STRING, "default-cgroupns-mode", since=(20, 10, 0)),
    **_list(OptionType.STRING, "http-proxy https-proxy no-proxy", since=(23, 0, 0)),
    **_list(OptionType.STRING, "log-format", since=(25, 0, 0)),
    **_list(OptionType.STRING, "bip6", since=(28, 0, 0)),
    **_list(
        OptionType.STRINGS,
        "allow-nondistributable-artifacts authorization-plugins dns dns-opts dns-search exec-opts hosts"
        " insecure-registries labels node-generic-resources registry-mirrors storage-opts",
    ),
    **_list(OptionType.STRINGS, "cdi-spec-dirs", since=(25, 0, 0)),
    **_list(OptionType.STRING_OBJECT, "log-opts"),
    **_list(OptionType.OBJECT, "default-ulimits runtimes"),
    **_list(OptionType.OBJECT, "builder features", since=(18, 9, 0)),
    **_list(OptionType.OBJECT, "default-network-opts", since=(24, 0, 0)),
    **_list(OptionType.OBJECTS, "default-address-pools", since=(18, 6, 0)),
    "graph": Option(type=OptionType.STRING, until=(23, 0, 0)),
    "cluster-advertise": Option(type=OptionType.STRING, until=(23, 0, 0)),
    "cluster-store": Option(type=OptionType.STRING, until=(23, 0, 0)),
    "cluster-store-opts": Option(type=OptionType.OBJECT, until=(23, 0, 0)),
    # Not judged by type: it differs between versions, or the key is only the name of a flag and has no effect.
    **_list(
        OptionType.ANY,
        "add-runtime api-enable-cors authorization-plugin bridge-accept-fwmark cdi-spec-dir cluster-store-opt"
        " config-file cri-containerd default-address-pool default-network-opt default-shm-size default-ulimit dns-opt"
        " exec-opt feature firewall-backend help host host-gateway-ip host-gateway-ips insecure-registry label log-opt"
        " min-api-version node-generic-resource nri-opts registry-mirror rootless storage-opt validate version",
    ),
    # Of Red Hat's docker 1.13.
    **_list(
        OptionType.ANY,
        "add-registry add-registries block-registry block-registries enable-secrets signature-verification",
    ),
}
