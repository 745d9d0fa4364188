"""Logins in Docker's config.json, found as docker finds them (docker/cli, cli/config/credentials)."""

from __future__ import annotations

import base64
import binascii
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.local.credential_helper import HelperError, is_installed, request_login
from harbor_agent.model.address import DOCKER_HUB_NAMES
from harbor_agent.model.policy import Credentials
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.registry.reason import clean_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import CredentialsSource

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER_SECONDS = 30.0  # for all questions about one registry; a helper may ask its user to unlock a key ring
_IDENTITY_TOKEN = "<token>"  # noqa: S105 - the user name that marks one (docker/cli, native_store.go)


@dataclass(frozen=True, slots=True, kw_only=True)
class _DockerConfig:
    """The members of a configuration that say where a login is."""

    file: Path
    auths: Mapping[str, Mapping[str, object]]
    helpers: Mapping[str, str]
    store: str


def read_docker_config(file: Path, source: CredentialsSource, address: Address) -> Credentials:
    """Return the login of a registry from a configuration file or the credential helper that it names.

    Raises UsageError if there is none, or if it is a token that a pull secret cannot hold.
    """
    config = _load(file)
    keys = [key for key in config.auths if _is_key_of(key, address)]
    helper = next((name for key, name in config.helpers.items() if _is_key_of(key, address)), None)
    own = next((key for key in _sort_keys(keys, address) if _has_login(config.auths[key])), None)
    if helper is None and config.store and (own is None or is_installed(config.store)):
        helper = config.store
    if helper:
        login = _read_helper(config, helper, [*_sort_keys(keys, address)], source, address)
        if login:
            return login
    if own is not None:
        return _parse_entry(config.auths[own], source, f"{file}, {own}")
    if keys and not helper:
        raise build_error(f"{file}, {keys[0]}: no user or no password", f"run docker login {address}")
    place = f"{file} or its credential helper docker-credential-{helper}" if helper else str(file)
    raise build_error(f"no login for {address} in {place}", f"run docker login {address} as the same user")


def build_error(message: str, hint: str) -> UsageError:
    """Build the error of a login that cannot be read."""
    return UsageError.of("credentials-missing", message, hint)


def _load(file: Path) -> _DockerConfig:
    try:
        document = json.loads(file.read_text(encoding="utf-8-sig"))
        auths = document.get("auths")
    except (OSError, ValueError, AttributeError, RecursionError):
        raise build_error(
            f"{file} is not a Docker configuration file",
            "name the file that docker login writes, ~/.docker/config.json",
        ) from None
    if "auths" not in document and "credsStore" not in document and "credHelpers" not in document:
        auths = document  # the .dockercfg of docker before 1.7 has no other members
    helpers, store = document.get("credHelpers"), document.get("credsStore")
    return _DockerConfig(
        file=file,
        auths={k: v for k, v in auths.items() if isinstance(v, dict)} if isinstance(auths, dict) else {},
        helpers={k: v for k, v in helpers.items() if isinstance(v, str)} if isinstance(helpers, dict) else {},
        store=store if isinstance(store, str) else "",
    )


def _is_key_of(key: str, address: Address) -> bool:
    """Whether a key, without its scheme and path, is the registry (docker/cli, ConvertToHostname)."""
    host = key.partition("://")[2] if key.startswith(("http://", "https://")) else key
    host = host.partition("/")[0]
    return host in DOCKER_HUB_NAMES if address.is_docker_hub else host == address.entry


def _sort_keys(keys: list[str], address: Address) -> list[str]:
    """Return the keys, the one that docker writes first."""
    return sorted(keys, key=lambda key: (key != address.config_key, key != _HUB_KEY, len(key)))


def _has_login(entry: Mapping[str, object]) -> bool:
    return bool(entry.get("auth") or entry.get("password") or entry.get("identitytoken"))


def _parse_entry(entry: Mapping[str, object], source: CredentialsSource, place: str) -> Credentials:
    username, password = entry.get("username"), entry.get("password")
    if entry.get("identitytoken"):
        raise _build_token_error(place)
    if isinstance(entry.get("auth"), str) and entry["auth"]:
        try:
            username, _, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise build_error(f"{place}: 'auth' is not the base64 of user:password", "run docker login again") from None
        password = password.strip("\0")  # docker once padded it (config/configfile, decodeAuth)
    if not isinstance(username, str) or not isinstance(password, str) or not username or not password:
        raise build_error(f"{place}: no user or no password", "run docker login again")
    return _build_login(username, password, entry.get("email"), source, place)


def _read_helper(
    config: _DockerConfig, helper: str, keys: list[str], source: CredentialsSource, address: Address
) -> Credentials | None:
    """Return a helper's login for the first form of the address that it knows, None if it knows none."""
    end = time.monotonic() + _HELPER_SECONDS
    place = f"docker-credential-{helper}"
    for server in dict.fromkeys((address.config_key, *keys, address.url)):
        try:
            output = request_login(helper, server, max(0.1, end - time.monotonic()))
        except HelperError as error:
            raise build_error(
                f"cannot read the login of {address}: {place}, which {config.file} names, {clean_text(str(error))}",
                f"try 'echo {server} | {place} get' as the same user, or use password_file",
            ) from None
        if output is None:
            continue
        try:
            answer = json.loads(output)
            username, password = answer["Username"], answer["Secret"]
        except (ValueError, RecursionError, KeyError, TypeError):
            raise build_error(f"{place} printed no login for {address}", "update the helper") from None
        if username == _IDENTITY_TOKEN:
            raise _build_token_error(place)
        if isinstance(username, str) and isinstance(password, str) and username and password:
            return _build_login(username, password, None, source, place)
    return None


def _build_login(username: str, password: str, email: object, source: CredentialsSource, place: str) -> Credentials:
    return Credentials(
        username=source.username or username,
        password=Sensitive(password),
        email=source.email or (email if isinstance(email, str) else ""),
        source=place,
    )


def _build_token_error(place: str) -> UsageError:
    return build_error(
        f"{place} has an identity token, which a pull secret cannot use as a password",
        "create a robot account in Harbor, and use its name and password",
    )
