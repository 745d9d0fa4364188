"""The request of the operator."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from harbor_agent.errors import Problem
    from harbor_agent.model.address import Address
    from harbor_agent.model.dns import DnsEntry
    from harbor_agent.model.sensitive import Sensitive

KeyForm = Literal["kubesphere", "plain"]
ANSWER_TIMEOUT: Final = 60


class RouteChoice(StrEnum):
    """The file for the setting: chosen for each node, or forced."""

    AUTO = "auto"
    DROP_IN = "drop-in"
    DAEMON_JSON = "daemon-json"


class RuntimeChoice(StrEnum):
    """Which container runtime to configure: the one that kubelet uses, or a forced one."""

    AUTO = "auto"
    DOCKER = "docker"
    CONTAINERD = "containerd"
    CRIO = "cri-o"
    PODMAN = "podman"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A login at a registry, ready to use. `source` is where the password came from, as it may be printed."""

    username: str
    password: Sensitive
    email: str = ""
    source: str = "the settings"
    notes: tuple[Problem, ...] = ()


CONTEXT_NAMESPACE: Final = "(context)"  # that of the kubeconfig's context; no namespace can have this name


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsSource:
    """The source of a login, exactly one; the engine reads it.

    `password` comes from standard input.
    """

    username: str = ""
    email: str = ""
    password_env: str | None = None
    password_file: str | None = None
    docker_config: str | None = None
    password: Sensitive | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPolicy:
    """The pull secret of one registry: its name, its namespaces and the service accounts that use it.

    The namespaces are those of `harbor_agent.model.secret.Namespaces`. With `force_insecure`, KubeSphere verifies no
    certificate of an https registry.
    """

    name: str = "harbor-pull"
    namespaces: tuple[str, ...] = (CONTEXT_NAMESPACE,)
    namespace_selector: str = ""
    exclude_namespaces: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    key_form: KeyForm = "kubesphere"
    force_insecure: bool = False


class ClusterDns(StrEnum):
    """Whether the cluster's DNS gets an entry for a registry's name."""

    AUTO = "auto"
    FALSE = "false"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvePolicy:
    """The address that a registry's name resolves to: on nodes by /etc/hosts, for pods by the cluster's DNS."""

    address: str
    nodes: bool = False
    cluster: ClusterDns = ClusterDns.AUTO


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCertificates:
    """What a runtime needs to trust an https registry and to be trusted by it, in PEM; empty if there is none.

    `authorities` are CAs; `client` and `key` are the client certificate and its private key, both or none.
    """

    authorities: bytes = field(default=b"", repr=False)
    client: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One registry and its desired state. `verify_image` is `repository[:tag]` without the address.

    `answer_timeout` is the number of seconds for each answer of the registry and its token service after the first.
    `ca_file` names the CA of an https registry; `ca_from_harbor` is the SHA-256 fingerprint (hex) of the one that
    Harbor offers, "" if it is not known yet. `client_certificate` and
    `client_key` name the files for mutual TLS. With `system_trust` the CA is also in the nodes' trust store.
    With `kubelet_login` the nodes' kubelets have the login, which is `login` once it was read.
    `certificates` has the content of all of them once they were read,
    `ca_ends` when the last CA expires.
    """

    address: Address
    presence: Literal["present", "absent"] = "present"
    verify_image: str | None = None
    credentials: CredentialsSource | None = None
    secret: SecretPolicy | None = None
    answer_timeout: int = ANSWER_TIMEOUT
    resolve: ResolvePolicy | None = None
    ca_file: str | None = None
    ca_from_harbor: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    system_trust: bool = False
    kubelet_login: bool = False
    login: Credentials | None = field(default=None, compare=False)
    certificates: RegistryCertificates | None = None
    ca_ends: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """The sizes of waves and budgets; a `str` is a percentage such as "10%".

    `health_deadline` is the number of seconds in which a daemon must be healthy again after its change; a rollback has
    as many once more.
    """

    canary: int = 1
    batch: int | str = 1
    max_failed: int | str = 0
    max_unreachable: int | str = "10%"
    drain: bool = False
    health_deadline: int = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLimits:
    """The limits of an automatic correction: nodes per run, and how many may have drifted at once.

    A `str` is a percentage of the nodes that have a record.
    """

    max_nodes: int = 3
    max_drifted: int | str = "30%"


class ReceiverKind(StrEnum):
    """What a receiver understands: our JSON document, or the messages of a chat."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    FEISHU = "feishu"
    DINGTALK = "dingtalk"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSource:
    """The settings of one receiver. Its URL has exactly one source, and so has the secret that signs, if there is one.

    `kind` is None if the host of the URL decides. The URL of a chat holds a token, so it comes from a file or the
    environment.
    """

    url: str | None = None
    url_env: str | None = None
    url_file: str | None = None
    kind: ReceiverKind | None = None
    secret_env: str | None = None
    secret_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The whole request, merged from defaults, file, inventory variables and flags."""

    registries: tuple[Registry, ...]
    route: RouteChoice = RouteChoice.AUTO
    runtime: RuntimeChoice = RuntimeChoice.AUTO
    rollout: Rollout = field(default_factory=Rollout)
    drift: DriftLimits = field(default_factory=DriftLimits)
    kubeconfig: str | None = None
    notify: tuple[ReceiverSource, ...] = ()

    @property
    def present(self) -> tuple[Registry, ...]:
        """The registries that must be trusted."""
        return tuple(registry for registry in self.registries if registry.presence == "present")

    @property
    def absent(self) -> tuple[Registry, ...]:
        """The registries that must not be trusted."""
        return tuple(registry for registry in self.registries if registry.presence == "absent")


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """The registries that must be trusted and those that must not, and what the planner may do for that.

    `repair` allows changes that activate settings without effect, or delete the key of another program. `live_restore`
    asks that containers keep running through a restart, and allows to switch live-restore on. `certificates` has
    those of each https registry that has any, by its entry, `secure` the addresses of all https registries to trust;
    `system_trust` has the entries of those whose CA the system should trust. `kubelet_logins` are the logins for
    kubelet, by entry, `kept_logins` the entries of those that stay as they are because they were not read.
    `names` are the entries for /etc/hosts, `absent_names` the names of other registries, which must have none of ours.
    """

    present: tuple[Address, ...] = ()
    absent: tuple[Address, ...] = ()
    route: RouteChoice = RouteChoice.AUTO
    runtime: RuntimeChoice = RuntimeChoice.AUTO
    repair: bool = False
    live_restore: bool = False
    certificates: Mapping[str, RegistryCertificates] = field(default_factory=dict)
    secure: tuple[Address, ...] = ()
    names: tuple[DnsEntry, ...] = ()
    absent_names: frozenset[str] = frozenset()
    system_trust: tuple[str, ...] = ()
    kubelet_logins: Mapping[str, Credentials] = field(default_factory=dict)
    kept_logins: tuple[str, ...] = ()
