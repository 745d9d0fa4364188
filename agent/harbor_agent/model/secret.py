"""The pull secret of one registry: as specified, as planned, and the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from harbor_agent.model.address import Address
from harbor_agent.model.policy import CONTEXT_NAMESPACE
from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection

    from harbor_agent.errors import Problem
    from harbor_agent.model.policy import Credentials, KeyForm


ALL_NAMESPACES: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """The namespaces that a secret belongs in: those named, and those with labels that `selector` selects.

    The name `*` means all, CONTEXT_NAMESPACE that of the kubeconfig's context. `selector` is a label selector as in
    kubectl; the names `excluded` are always left out.
    """

    names: tuple[str, ...] = ()
    selector: str = ""
    excluded: tuple[str, ...] = ()

    @property
    def needs_the_cluster(self) -> bool:
        """Whether only the cluster knows which namespaces these are."""
        return ALL_NAMESPACES in self.names or bool(self.selector)

    @property
    def names_in_manifests(self) -> tuple[str | None, ...]:
        """The names for manifests; None leaves the namespace to `kubectl apply`, which takes the context's."""
        return tuple(None if name == CONTEXT_NAMESPACE else name for name in self.names)

    def __str__(self) -> str:
        """Return names and selector, such as "*, team=shop"."""
        return ", ".join([*self.names, *([self.selector] if self.selector else [])])

    def without(self, gone: Collection[str]) -> Namespaces:
        """Return the same without these namespaces."""
        excluded = tuple(dict.fromkeys((*self.excluded, *gone))) if self.needs_the_cluster else self.excluded
        return replace(self, names=tuple(name for name in self.names if name not in gone), excluded=excluded)

    def may_meet(self, other: Namespaces) -> bool:
        """Whether both may hold the same namespace."""
        if self.needs_the_cluster or other.needs_the_cluster:
            return True
        return not (set(self.names) - set(self.excluded)).isdisjoint(set(other.names) - set(other.excluded))


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretForm:
    """What a pull secret is like, its login left out. `url` is that of the registry."""

    url: str
    key_form: KeyForm
    service_accounts: tuple[str, ...] = ()
    force_insecure: bool = False

    @property
    def address(self) -> Address:
        """The registry."""
        return Address.parse(self.url)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretScope:
    """What a person applied: one registry's secret, in these namespaces of the cluster at `server`, for this user.

    `server` is `Cluster.server`, which distinguishes clusters.
    `registry` is its entry. `run_id` is the run, "" for a command about secrets alone; `applied` is ISO 8601 in UTC.
    """

    server: str
    registry: str
    name: str
    namespaces: Namespaces
    form: SecretForm
    username: str
    run_id: str = ""
    applied: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSpec:
    """The secret as it should be in each of its namespaces.

    `key_form` is the form of the registry's key (see `harbor_agent.formats.pull_secret.build_registry_key`). The
    secret is attached to each of `service_accounts` of its namespace. `force_conflicts` takes over fields that other
    clients manage. `force_insecure` sets KubeSphere's annotation for an https registry too.
    """

    name: str
    address: Address
    credentials: Credentials
    key_form: KeyForm = "kubesphere"
    service_accounts: tuple[str, ...] = ()
    force_conflicts: bool = False
    force_insecure: bool = False

    @property
    def form(self) -> SecretForm:
        """The same without its name and its login."""
        return SecretForm(
            url=self.address.url,
            key_form=self.key_form,
            service_accounts=self.service_accounts,
            force_insecure=self.force_insecure,
        )


class SecretAction(StrEnum):
    """The change to the secret itself."""

    NONE = "none"
    CREATE = "create"
    UPDATE = "update"
    REMOVE = "remove"


class KeyChangeKind(StrEnum):
    """What happens to the value of a key."""

    ADD = "add"
    REPLACE = "replace"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """A change of one value in a secret. `key` is its path, such as `metadata.labels[team]`; no value is kept."""

    key: str
    kind: KeyChangeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountResult:
    """Whether a service account names the secret in its `imagePullSecrets` (or, in a removal, no longer does).

    UNCHANGED: it does already. PENDING, CHANGED: it will, or now does, after the entries that were there. SKIPPED: the
    user is not allowed to; the problem's hint is the command for an administrator, and the secret itself is not
    affected. FAILED: anything else.
    """

    name: str
    outcome: Outcome
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlan:
    """The plan for one namespace: UNCHANGED, PENDING, REFUSED, or FAILED if it could not be made.

    `differences` name what differs, one clause each, no values. `changes` are those that the server would make, also
    if the plan is REFUSED because of a conflict. `reason` is one sentence. `warnings` stop nothing.
    """

    namespace: str
    name: str
    outcome: Outcome
    action: SecretAction = SecretAction.NONE
    reason: str = ""
    differences: tuple[str, ...] = ()
    changes: tuple[KeyChange, ...] = ()
    service_accounts: tuple[ServiceAccountResult, ...] = ()
    problem: Problem | None = None
    warnings: tuple[Problem, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing needs to change, service accounts included."""
        accounts = all(account.outcome is Outcome.UNCHANGED for account in self.service_accounts)
        return self.outcome is Outcome.UNCHANGED and accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretResult:
    """The result in one namespace: UNCHANGED, CHANGED, SKIPPED, REFUSED or FAILED.

    Service accounts are changed only if the secret is UNCHANGED or CHANGED. `differences` name what differed, one
    clause each, no values. `warnings` stop nothing.
    """

    namespace: str
    name: str
    outcome: Outcome
    action: SecretAction = SecretAction.NONE
    differences: tuple[str, ...] = ()
    service_accounts: tuple[ServiceAccountResult, ...] = ()
    problem: Problem | None = None
    warnings: tuple[Problem, ...] = ()
