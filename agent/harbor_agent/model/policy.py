"""What the operator asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harbor_agent.model.address import Address
    from harbor_agent.model.sensitive import Sensitive

KeyForm = Literal["kubesphere", "plain"]


class RouteChoice(StrEnum):
    """Where the operator wants the setting: decided per node, or forced."""

    AUTO = "auto"
    DROP_IN = "drop-in"
    DAEMON_JSON = "daemon-json"


class RuntimeChoice(StrEnum):
    """Which container runtime to configure: the one that kubelet uses, or a forced one."""

    AUTO = "auto"
    DOCKER = "docker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A login at a registry, resolved and ready to use."""

    username: str
    password: Sensitive
    email: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsSource:
    """Where the login comes from: exactly one of the sources; read by the engine, not here.

    `password` is one that was handed over on standard input.
    """

    username: str = ""
    email: str = ""
    password_env: str | None = None
    password_file: str | None = None
    docker_config: str | None = None
    password: Sensitive | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPolicy:
    """The pull secret of one registry: its name, where it is wanted and who gets it attached.

    The namespaces are those of `harbor_agent.model.secret.Namespaces`.
    """

    name: str = "harbor-pull"
    namespaces: tuple[str, ...] = ("default",)
    namespace_selector: str = ""
    exclude_namespaces: tuple[str, ...] = ()
    service_accounts: tuple[str, ...] = ()
    key_form: KeyForm = "kubesphere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """One registry and what is wanted of it. `verify_image` is `repository[:tag]` without the address."""

    address: Address
    presence: Literal["present", "absent"] = "present"
    verify_image: str | None = None
    credentials: CredentialsSource | None = None
    secret: SecretPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """How many nodes at a time. A `str` is a percentage such as "10%". `health_deadline` is in seconds.

    So long a daemon has to be well again after its change, and once more where it must be taken back.
    """

    canary: int = 1
    batch: int | str = 1
    max_failed: int | str = 0
    max_unreachable: int | str = "10%"
    drain: bool = False
    health_deadline: int = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLimits:
    """How much a correction may do by itself: nodes a run, and how many may have drifted at once.

    A `str` is a percentage of the nodes that have a record.
    """

    max_nodes: int = 3
    max_drifted: int | str = "30%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything that was asked for, merged from defaults, file, inventory variables and flags."""

    registries: tuple[Registry, ...]
    route: RouteChoice = RouteChoice.AUTO
    runtime: RuntimeChoice = RuntimeChoice.AUTO
    rollout: Rollout = field(default_factory=Rollout)
    drift: DriftLimits = field(default_factory=DriftLimits)
    kubeconfig: str | None = None

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
    """The registries that must be trusted and those that must not, and how far the planner may go.

    `repair` allows what revives dead settings or deletes somebody's key. `live_restore` asks that containers outlive a
    restart, for which it may be switched on.
    """

    present: tuple[Address, ...] = ()
    absent: tuple[Address, ...] = ()
    route: RouteChoice = RouteChoice.AUTO
    runtime: RuntimeChoice = RuntimeChoice.AUTO
    repair: bool = False
    live_restore: bool = False
