"""The pull secret of one registry: what is wanted, what would be done, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from harbor_agent.model.result import Outcome

if TYPE_CHECKING:
    from harbor_agent.errors import Problem
    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import Credentials, KeyForm


ALL_NAMESPACES: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespaces:
    """Where a secret is wanted: in the namespaces named, and in those with labels that `selector` selects.

    The name `*` stands for all. `selector` is a label selector as kubectl takes it; what is `excluded` by name is
    left out in any case.
    """

    names: tuple[str, ...] = ()
    selector: str = ""
    excluded: tuple[str, ...] = ()

    @property
    def needs_the_cluster(self) -> bool:
        """Whether only the cluster can say which namespaces these are."""
        return ALL_NAMESPACES in self.names or bool(self.selector)

    def __str__(self) -> str:
        """Return it in few words, such as "*, team=shop"."""
        return ", ".join([*self.names, *([self.selector] if self.selector else [])])

    def may_meet(self, other: Namespaces) -> bool:
        """Whether both may hold the same namespace."""
        if self.needs_the_cluster or other.needs_the_cluster:
            return True
        return not (set(self.names) - set(self.excluded)).isdisjoint(set(other.names) - set(other.excluded))


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretSpec:
    """The secret as wanted in every namespace that it is wanted in.

    `key_form` decides how the registry is written inside (see `harbor_agent.formats.pull_secret.build_registry_key`);
    the secret is attached to each of `service_accounts` of the same namespace. `force_conflicts` takes over what
    other programs write in it.
    """

    name: str
    address: Address
    credentials: Credentials
    key_form: KeyForm = "kubesphere"
    service_accounts: tuple[str, ...] = ()
    force_conflicts: bool = False


class SecretAction(StrEnum):
    """What is done to the secret itself."""

    NONE = "none"
    CREATE = "create"
    UPDATE = "update"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccountResult:
    """Whether a service account names the secret in its `imagePullSecrets` (or, in a removal, no longer does).

    UNCHANGED: it does already. PENDING, CHANGED: it would, it now does, behind the entries that were there.
    SKIPPED: the user may not do it; the problem's hint is the command for somebody who may. The secret itself
    is none the worse for it. FAILED: anything else.
    """

    name: str
    outcome: Outcome
    problem: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlan:
    """What would be done in one namespace: UNCHANGED, PENDING, REFUSED, or FAILED where it could not be found out.

    `differences` name what differs, one clause each, no values. `reason` is one sentence. `warnings` stop nothing.
    """

    namespace: str
    name: str
    outcome: Outcome
    action: SecretAction = SecretAction.NONE
    reason: str = ""
    differences: tuple[str, ...] = ()
    service_accounts: tuple[ServiceAccountResult, ...] = ()
    problem: Problem | None = None
    warnings: tuple[Problem, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the namespace is as wanted already, service accounts included."""
        accounts = all(account.outcome is Outcome.UNCHANGED for account in self.service_accounts)
        return self.outcome is Outcome.UNCHANGED and accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretResult:
    """What became of the secret in one namespace: UNCHANGED, CHANGED, REFUSED or FAILED.

    Service accounts are touched only where the secret is there: UNCHANGED or CHANGED. `warnings` stop nothing.
    """

    namespace: str
    name: str
    outcome: Outcome
    action: SecretAction = SecretAction.NONE
    service_accounts: tuple[ServiceAccountResult, ...] = ()
    problem: Problem | None = None
    warnings: tuple[Problem, ...] = ()
