"""The first harbor-agent.yaml of a cluster: built from options, checked, and written beside nothing else."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.request.config_file import DEFAULT_FILE, check_yaml
from harbor_agent.engine.request.resolve import build_policy, require_registry
from harbor_agent.errors import UsageError
from harbor_agent.local.files import describe_error
from harbor_agent.model.sensitive import Sensitive
from harbor_agent.planning.config.check import check_document
from harbor_agent.planning.config.schema import PolicyLayer
from harbor_agent.planning.config.text import render_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harbor_agent.engine.request.request import RegistryFlags
    from harbor_agent.errors import Problem

_HEADER = (
    "Settings of harbor-agent, written by `harbor-agent init`. Options on the command line override them.",
    "harbor-agent config check: lists the errors of this file. harbor-agent config schema: describes every key, for",
    "people and for editors (`# yaml-language-server: $schema=FILE` as the first line).",
)


def choose_file(path: str | None) -> Path:
    """Return the path of the file to write. Raises UsageError `configuration-exists` if there is one."""
    file = Path(path or DEFAULT_FILE)
    if file.exists() or file.is_symlink():
        raise _build_exists_error(file)
    return file


def write_first_file(
    file: Path, flags: RegistryFlags, password_env: str | None, notes: Sequence[str]
) -> tuple[Problem, ...]:
    """Write a settings file that has the effect of `flags`, mode 0666 less the umask; it holds no password.

    Returns what an option still has to add. `notes` become comments at its top. Raises UsageError for what a run with
    these flags refuses, for a file that exists, and if it cannot be written.
    """
    # A password counts here only as being there.
    probe = replace(flags, password=Sensitive("")) if password_env else flags
    require_registry([build_policy(PolicyLayer(), probe)])
    text = render_settings(_build_document(flags, password_env), [*_HEADER, *notes])
    document, source, _ = check_yaml(text, str(file))
    checked = check_document(document, source)
    if checked.errors:
        raise UsageError(checked.errors[0].problem)
    _create(file, text)
    return tuple(warning.problem for warning in checked.warnings)


def _build_document(flags: RegistryFlags, password_env: str | None) -> dict[str, object]:
    credentials = {
        "username": flags.username,
        "email": flags.email,
        "password_env": password_env,
        "password_file": flags.password_file,
    }
    secret = {
        "name": flags.secret_name,
        "namespaces": list(flags.namespaces),
        "service_accounts": list(flags.service_accounts),
        "key_form": flags.key_form,
    }
    settings = _drop_empty(
        {
            "verify_image": flags.verify_image,
            "ca_file": flags.ca_file,
            "credentials": _drop_empty(credentials),
            "secret": _drop_empty(secret),
        }
    )
    return _drop_empty(
        {
            "registries": [{"address": one, **settings} if settings else one for one in flags.addresses],
            "route": flags.route and flags.route.value,
            "runtime": flags.runtime and flags.runtime.value,
            "kubeconfig": flags.kubeconfig,
        }
    )


def _drop_empty(values: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in values.items() if value}


def _create(file: Path, text: str) -> None:
    """Write a new file; one that cannot be written whole is removed again."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        raise _build_exists_error(file) from None
    except OSError as error:
        raise _build_write_error(file, error) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        file.unlink()
        raise _build_write_error(file, error) from None


def _build_exists_error(file: Path) -> UsageError:
    hint = "name another file, or edit this one and run `harbor-agent config check`"
    return UsageError.of("configuration-exists", f"{file} exists already, and was not changed", hint)


def _build_write_error(file: Path, error: OSError) -> UsageError:
    message = f"cannot write {file}: {describe_error(error)}"
    return UsageError.of("configuration-unwritable", message, "check the folder and its permissions")
