"""Which login a pull secret offers for an image, as kubelet matches keys (pkg/credentialprovider/keyring.go)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from harbor_agent.formats.pull_secret import SECRET_TYPE, find_registry_hosts, read_logins
from harbor_agent.model.address import DOCKER_HUB_NAMES
from harbor_agent.model.workloads.template import PodContainer

if TYPE_CHECKING:
    from harbor_agent.formats.pull_secret import ObservedSecret

_SCHEME = re.compile(r"\Ahttps?://")
_API_VERSION = re.compile(r"\A/v[12](?=/|\Z)")
_OLD_TYPE = "kubernetes.io/dockercfg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one pull secret of a pod has for an image: `clause` says it without a password; `has_login`: a login.

    `username` is that of the login, "" if it is not written beside it.
    """

    secret: str
    clause: str
    has_login: bool = False
    username: str = ""


def judge_offer(name: str, observed: ObservedSecret | None, image: str) -> Offer:
    """Return what the secret `name` offers for `image`; None is a secret that does not exist."""
    if observed is None:
        return Offer(secret=name, clause=f"secret {name} does not exist")
    if observed.type == _OLD_TYPE:
        return Offer(secret=name, clause=f"secret {name} has the old type {_OLD_TYPE}, and its logins were not read")
    if observed.type != SECRET_TYPE:
        return Offer(secret=name, clause=f"secret {name} has type {observed.type}, which kubelet ignores")
    host = PodContainer(name="", image=image).host
    logins = read_logins(observed.payload)
    matching = [key for key in logins if is_key_of(key, image)]
    if not matching:
        hosts = ", ".join(sorted(find_registry_hosts(observed)))
        has = f"has a login for {hosts} only" if hosts else "has no login"
        return Offer(secret=name, clause=f"secret {name} {has}, none for {host}")
    login = logins[max(matching, key=len)]
    username = login.get("username") if isinstance(login, dict) else None
    if not isinstance(login, dict) or not (login.get("auth") or username):
        return Offer(secret=name, clause=f"secret {name} names {host} without a user")
    user = username if isinstance(username, str) else ""
    clause = (
        f"secret {name} has the login of user '{user}' for {host}" if user else f"secret {name} has a login for {host}"
    )
    return Offer(secret=name, clause=clause, has_login=True, username=user)


def is_key_of(key: str, image: str) -> bool:
    """Whether kubelet offers the login under `key` for `image`: the same host and port, and a path that begins alike.

    Each part of the host may be a glob, such as `*.harbor.lan`.
    """
    host, path = _split_key(key)
    own = PodContainer(name="", image=image).host
    if own in DOCKER_HUB_NAMES:
        return host in DOCKER_HUB_NAMES
    parts, wanted = host.split("."), own.split(".")
    return (
        len(parts) == len(wanted)
        and all(map(fnmatchcase, wanted, parts))
        and image.removeprefix(own).startswith(path.rstrip("/"))
    )


def _split_key(key: str) -> tuple[str, str]:
    """Return host and path of a key."""
    host, slash, path = _SCHEME.sub("", key).partition("/")
    return host, _API_VERSION.sub("", slash + path)
