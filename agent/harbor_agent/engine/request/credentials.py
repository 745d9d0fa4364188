"""Registry logins, read from the environment, a file, Docker's configuration or standard input."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.local.files import describe_error
from harbor_agent.model.policy import Credentials
from harbor_agent.model.sensitive import Sensitive

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harbor_agent.model.address import Address
    from harbor_agent.model.policy import CredentialsSource, Policy


def read_logins(policies: Iterable[Policy]) -> dict[str, Credentials]:
    """Return the login of each present registry that has one, by registry entry. Raises UsageError as `read_login`."""
    found: dict[str, Credentials] = {}
    for registry in (registry for policy in policies for registry in policy.present):
        if registry.credentials is not None and registry.address.entry not in found:
            found[registry.address.entry] = read_login(registry.credentials, registry.address)
    return found


def read_login(source: CredentialsSource, address: Address) -> Credentials:
    """Read the login of one registry. Raises UsageError with the source (never its value) if it is missing.

    One trailing newline of a password file is not part of the password.
    """
    if source.docker_config is not None:
        return _read_docker_config(source, address)
    return Credentials(username=source.username, password=_read_password(source, address), email=source.email)


def build_credential_name(file: Path) -> str:
    """Return the name under which systemd passes a password file to a service (LoadCredential= of systemd.exec(5))."""
    return f"file-{hashlib.sha256(str(file.absolute()).encode(errors='surrogateescape')).hexdigest()[:16]}"


def parse_password(text: str, source: str) -> Sensitive:
    """Return the password in `text` without its trailing newline. Raises UsageError if nothing is left."""
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise _build_error(f"no password in {source}", "write the password into it, without quotes")
    return Sensitive(password)


def _read_password(source: CredentialsSource, address: Address) -> Sensitive:
    if source.password is not None:
        return source.password
    if source.password_env is not None:
        name = source.password_env
        if not os.environ.get(name):
            raise _build_error(f"no password for {address}: ${name} is not set", f"export {name}")
        return Sensitive(os.environ[name])
    file = Path(source.password_file or "").expanduser()
    try:
        return parse_password(_find_file(file).read_text(encoding="utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read the password of {address} from {file}: {describe_error(error)}"
        raise _build_error(message, "check password_file") from None


def _find_file(file: Path) -> Path:
    """Return the copy that systemd passed to this service, or the file itself."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return file
    copy = Path(folder, build_credential_name(file))
    return copy if copy.is_file() else file


def _read_docker_config(source: CredentialsSource, address: Address) -> Credentials:
    file = _find_file(Path(source.docker_config or "").expanduser())
    if file.is_dir():
        file /= "config.json"
    try:
        auths = json.loads(file.read_text(encoding="utf-8")).get("auths", {})
    except (OSError, ValueError, AttributeError):
        raise _build_error(
            f"{file} is not a Docker configuration file",
            "name the file that docker login writes, ~/.docker/config.json",
        ) from None
    for key in _list_keys(address):
        entry = auths.get(key) if isinstance(auths, dict) else None
        if isinstance(entry, dict):
            return _parse_entry(entry, source, f"{file}, {key}")
    raise _build_error(
        f"no login for {address} in {file}",
        f"run docker login {address} without a credential helper, which keeps logins elsewhere",
    )


def _list_keys(address: Address) -> tuple[str, ...]:
    """Return the keys under which docker login stores the login of a registry."""
    if address.is_docker_hub:
        return ("https://index.docker.io/v1/", "docker.io", "index.docker.io")
    return (address.entry, address.url, f"{address.url}/")


def _parse_entry(entry: dict[str, object], source: CredentialsSource, place: str) -> Credentials:
    username, password = entry.get("username"), entry.get("password")
    if isinstance(entry.get("auth"), str):
        try:
            username, _, password = base64.b64decode(str(entry["auth"]), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _build_error(
                f"{place}: 'auth' is not the base64 of user:password", "run docker login again"
            ) from None
    if not isinstance(username, str) or not isinstance(password, str) or not username or not password:
        raise _build_error(f"{place}: no user or no password", "run docker login again without a credential helper")
    email = entry.get("email")
    return Credentials(
        username=source.username or username,
        password=Sensitive(password),
        email=source.email or (email if isinstance(email, str) else ""),
    )


def _build_error(message: str, hint: str) -> UsageError:
    return UsageError.of("credentials-missing", message, hint)
