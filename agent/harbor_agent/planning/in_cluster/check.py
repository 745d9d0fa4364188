"""A scheduled drift check in a cluster, as a value."""

from __future__ import annotations

from dataclasses import dataclass

EVERYWHERE = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSchedule:
    """A drift check in a cluster.

    `files` are those that the settings name, by their key in a secret and their path in the pod. `kubeconfig` is the
    path at which the settings expect one, or None if the check asks no cluster. `ports` are those of nodes and
    registries. `schedule` is in the format of cron, `version` that of the cluster. `secrets` are namespace ("*" for a
    selection) and name of each pull secret that is compared, `accounts` the service accounts that should have them.
    `apply_arguments` are those by which a person applies the secrets in the cluster; empty if the check writes none.
    """

    name: str
    namespace: str
    image: str
    schedule: str
    arguments: tuple[str, ...]
    apply_arguments: tuple[str, ...] = ()
    version: tuple[int, int]
    ports: tuple[int, ...]
    files: tuple[tuple[str, str], ...] = ()
    kubeconfig: str | None = None
    corrects: bool = False
    drains: bool = False
    checks_dns: bool = False
    secrets: tuple[tuple[str, str], ...] = ()
    accounts: tuple[str, ...] = ()
