"""Registry logins, read from the environment, a file, Docker's configuration or standard input."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.request.docker_config import build_error, read_docker_config
from harbor_agent.errors import Problem
from harbor_agent.formats.password import remove_byte_order_mark
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

    One trailing newline of a password file is not part of the password, nor is a byte order mark.
    """
    if source.docker_config is not None:
        file = find_passed_file(Path(source.docker_config).expanduser())
        return read_docker_config(file / "config.json" if file.is_dir() else file, source, address)
    password, place = _read_password(source, address)
    password, notes = _remove_mark(password, place)
    return Credentials(username=source.username, password=password, email=source.email, source=place, notes=notes)


def build_credential_name(file: Path) -> str:
    """Return the name under which systemd passes a password file to a service (LoadCredential= of systemd.exec(5))."""
    return f"file-{hashlib.sha256(str(file.absolute()).encode(errors='surrogateescape')).hexdigest()[:16]}"


def parse_password(text: str, source: str) -> Sensitive:
    """Return the password in `text` without its trailing newline. Raises UsageError if nothing is left."""
    password = text.removesuffix("\n").removesuffix("\r")
    if not remove_byte_order_mark(password):
        raise build_error(f"no password in {source}", "write the password into it, without quotes")
    return Sensitive(password)


def _read_password(source: CredentialsSource, address: Address) -> tuple[Sensitive, str]:
    """Return the password and the name of its source."""
    if source.password is not None:
        return source.password, "standard input"
    if source.password_env is not None:
        name = source.password_env
        if not os.environ.get(name):
            raise build_error(f"no password for {address}: ${name} is not set", f"export {name}")
        return Sensitive(os.environ[name]), f"${name}"
    file = Path(source.password_file or "").expanduser()
    try:
        return parse_password(find_passed_file(file).read_text(encoding="utf-8"), str(file)), str(file)
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot read the password of {address} from {file}: {describe_error(error)}"
        raise build_error(message, "check password_file") from None


def _remove_mark(password: Sensitive, place: str) -> tuple[Sensitive, tuple[Problem, ...]]:
    """Return the password without a byte order mark, and the note of one that was removed."""
    text = remove_byte_order_mark(password.reveal())
    if text == password.reveal():
        return password, ()
    note = Problem(
        code="password-byte-order-mark",
        message=f"the password from {place} begins with a byte order mark, which was removed",
        hint="save the file as UTF-8 without a byte order mark",
    )
    return Sensitive(text), (note,)


def find_passed_file(file: Path) -> Path:
    """Return the copy that systemd passed to this service, or the file itself."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return file
    copy = Path(folder, build_credential_name(file))
    return copy if copy.is_file() else file
