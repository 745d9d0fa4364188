"""The questions of init: one for each setting that no option answers, only on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from harbor_agent.errors import AgentError, UsageError
from harbor_agent.language.current import translate
from harbor_agent.model.address import Address
from harbor_agent.planning.config.images import find_image_fault

if TYPE_CHECKING:
    from harbor_agent.engine.request.discovery import ShownCluster
    from harbor_agent.engine.request.request import RegistryFlags

PASSWORD_ENV = "HARBOR_PASSWORD"  # noqa: S105 - the name of a variable

_Value = TypeVar("_Value")


def ask_registry(flags: RegistryFlags) -> RegistryFlags:
    """Return the flags with the registry, its CA and the image, asked if no option has them."""
    if not flags.addresses:
        address = _ask("Registry (host[:port], http:// assumed)", _read_address)
        flags = replace(flags, addresses=(address,))
    if flags.ca_file is None and any(address.scheme == "https" for address in flags.parse_addresses()):
        question = "File with the CA of the registry (empty: a public one)"
        flags = replace(flags, ca_file=_ask(question, _read_file, default="") or None)
    if flags.verify_image is None:
        question = "Image that every node pulls to verify it, such as library/pause:3.9 (empty: none)"
        read = partial(_read_image, flags.parse_addresses())
        flags = replace(flags, verify_image=_ask(question, read, default="") or None)
    return flags


def ask_kubeconfig(flags: RegistryFlags) -> RegistryFlags:
    """Return the flags with the kubeconfig, asked if no option has it; the one that kubectl reads is proposed."""
    if flags.kubeconfig is not None:
        return flags
    from harbor_agent.engine.request.discovery import find_kubeconfig

    question = "Kubeconfig of the cluster, '-' for none"
    answer = _ask(question, _read_kubeconfig, default=find_kubeconfig() or "-")
    return replace(flags, kubeconfig=None if answer == "-" else answer)


def ask_login(flags: RegistryFlags, password_env: str | None) -> tuple[RegistryFlags, str | None]:
    """Return the flags with the user, and the environment variable of the password; asked if no option has them."""
    if flags.username is None:
        flags = replace(flags, username=_ask("User at the registry (empty: no login)", str, default="") or None)
    if flags.username and not flags.password_file and not password_env:
        password_env = _ask("Environment variable with the password", str, default=PASSWORD_ENV)
    return flags, password_env


def ask_namespaces(flags: RegistryFlags, cluster: ShownCluster) -> RegistryFlags:
    """Return the flags with the namespaces of the pull secret, asked if there is a login and no option has them."""
    if not flags.username or flags.kubeconfig is None or flags.namespaces:
        return flags
    for note in cluster.notes:
        typer.echo(translate(note), err=True)
    question = "Namespaces of the pull secret, with commas between, '*' for all (empty: no pull secret)"
    names = _ask(question, str, default="").replace(" ", "").split(",")
    return replace(flags, namespaces=tuple(filter(None, names)))


def _read_address(text: str) -> str:
    Address.parse(text)
    return text


def _read_image(registries: Sequence[Address], text: str) -> str:
    for fault in (find_image_fault(text, registry) for registry in registries if text):
        if fault:
            raise UsageError(fault)
    return text


def _read_kubeconfig(text: str) -> str:
    if text != "-":
        _require_file(text)
    return text


def _read_file(text: str) -> str:
    return str(_require_file(text).absolute()) if text else text


def _require_file(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        raise typer.BadParameter(translate(f"no such file: {text}"))
    return path


def _ask(question: str, read: Callable[[str], _Value], *, default: str | None = None) -> _Value:
    """Return the answer as `read` returns it; an answer that it refuses is asked for again, with the reason."""

    def check(text: str) -> _Value:
        try:
            return read(text.strip())
        except AgentError as error:
            raise typer.BadParameter(translate(str(error.problem))) from None

    answer: _Value = typer.prompt(
        translate(question), default=default, show_default=bool(default), value_proc=check, err=True
    )
    return answer
