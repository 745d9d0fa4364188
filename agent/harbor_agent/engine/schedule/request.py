"""A scheduled drift check, built from the options: its user, its command, and the paths that it reads and writes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.metrics.file import parse_metrics_path
from harbor_agent.engine.plan.fleet import load_nodes
from harbor_agent.engine.request.config_file import find_configuration_file
from harbor_agent.engine.request.credentials import build_credential_name
from harbor_agent.engine.request.passwords import find_questions
from harbor_agent.engine.request.request import NodeSelection, RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import require_registry, resolve
from harbor_agent.engine.schedule.access import find_account
from harbor_agent.engine.schedule.receivers import list_receiver_files
from harbor_agent.errors import UsageError
from harbor_agent.planning.schedule import Credential, Schedule, build_unit_name

if TYPE_CHECKING:
    import pwd
    from collections.abc import Iterable, Iterator

    from harbor_agent.engine.events import Listener
    from harbor_agent.engine.request.resolve import Resolved
    from harbor_agent.model.policy import Policy
    from harbor_agent.planning.schedule import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRequest:
    """The options of a schedule. Without `user`, it is the calling user, also with sudo."""

    name: str | None = None
    selection: NodeSelection
    addresses: tuple[str, ...] = ()
    config: str | None = None
    correct: bool = False
    user: str | None = None
    timing: Timing
    metrics: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadySchedule:
    """A schedule, the number of its nodes, and the paths that its user must be able to read."""

    schedule: Schedule
    nodes: int
    readable: tuple[str, ...]


def build_schedule(request: ScheduleRequest, listener: Listener) -> ReadySchedule:
    """Read settings and inventory as the run will, and return the schedule to install.

    Raises UsageError for an error in them, and for options that a run without a terminal cannot use.
    """
    selection = request.selection.make_absolute()
    require_no_prompt(selection)
    account = find_account(request.user)
    config = find_configuration_file(request.config)
    metrics = parse_metrics_path(request.metrics) if request.metrics else None
    flags = RegistryFlags(addresses=request.addresses)
    nodes = load_nodes(selection, listener)
    resolved = resolve(RunRequest(selection=selection, flags=flags, config=request.config), nodes)
    if request.correct:
        require_registry(resolved.policies)
    unit = build_unit_name(request.name)
    command = [*_find_program(), "drift", *build_arguments(request, selection, config, metrics)]
    command += ["--correct", "--yes", "--note", f"by {unit}.timer"] if request.correct else []
    state_home = _find_state_home(account)
    schedule = Schedule(
        unit=unit,
        user=account.pw_name,
        is_root=account.pw_uid == 0,
        command=tuple(command),
        folder=str(Path.cwd()),
        state_home=state_home,
        state_folder=f"{state_home}/harbor-agent",
        timing=request.timing,
        corrects=request.correct,
        confined=selection.transport != "local" and not any(node.connection == "local" for node in nodes),
        metrics_folder=str(metrics.parent) if metrics else None,
        credentials=tuple(_list_credentials(resolved, account, corrects=request.correct)),
    )
    asks_cluster = request.correct or any(one.resolve or one.secret for one in resolved.general.registries)
    kubeconfig = resolved.general.kubeconfig if asks_cluster else None
    keys = (node.private_key_file for node in nodes)
    own = (str(_expand_home(text, account)) for text in (kubeconfig, *keys) if text)
    readable = (schedule.folder, _find_program()[0], *_list_named_files(selection, config), *own)
    return ReadySchedule(schedule=schedule, nodes=len(nodes), readable=tuple(dict.fromkeys(readable)))


def require_no_prompt(selection: NodeSelection) -> None:
    """Raise UsageError if a run with this selection would ask for a password."""
    if any(find_questions(selection)) or _asks_for_vault_password(selection):
        raise UsageError.of(
            "usage",
            "a scheduled run cannot ask for passwords",
            "use keys, --vault-password-file or variables encrypted with ansible-vault; remove ask_pass, "
            "become_ask_pass, ask_vault_pass and prompts in vault_identity_list from ansible.cfg",
        )


def _asks_for_vault_password(selection: NodeSelection) -> bool:
    if selection.transport == "local":  # reads no inventory
        return False
    from harbor_agent.inventory.load import requires_vault_prompt  # noqa: PLC0415 - Ansible's library is slow to import

    return requires_vault_prompt(selection.vault)


def _find_state_home(account: pwd.struct_passwd) -> str:
    """Return the state directory of that user's own runs, with lock and history."""
    ours = os.environ.get("XDG_STATE_HOME") if account.pw_uid == os.geteuid() else None
    return ours or f"{account.pw_dir}/.local/state"


def _find_program() -> list[str]:
    """Return the command that starts this installation of harbor-agent."""
    installed = Path(sys.executable).with_name("harbor-agent")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "harbor_agent.cli"]


def build_arguments(
    request: ScheduleRequest, selection: NodeSelection, config: Path | None, metrics: Path | None
) -> list[str]:
    """Return the options of `drift` for this check."""
    default = NodeSelection()
    arguments = [
        *(("-i", source) for source in selection.sources),
        *((("--limit", selection.limit),) if selection.limit else ()),
        *((("--shard", str(selection.shard)),) if selection.shard else ()),
        *((("--transport", selection.transport),) if selection.transport != default.transport else ()),
        *((("--forks", str(selection.forks)),) if selection.forks != default.forks else ()),
        *(("--vault-id", source) for source in selection.vault.ids),
        *(("--vault-password-file", file) for file in selection.vault.password_files),
        *(("--registry", address) for address in request.addresses),
        *((("-c", str(config)),) if config else ()),
        *((("--metrics", str(metrics)),) if metrics else ()),
    ]
    return [word for pair in arguments for word in pair]


def _list_credentials(resolved: Resolved, account: pwd.struct_passwd, *, corrects: bool) -> Iterator[Credential]:
    """Yield the files with passwords and with receivers' URLs, each once.

    Raises UsageError for one that a scheduled run does not have.
    """
    named = [
        *(_list_password_files(resolved.policies) if corrects else ()),
        *list_receiver_files(resolved.general, _refuse_variable),
    ]
    for file in dict.fromkeys(_expand_home(text, account) for text in named):
        yield Credential(name=build_credential_name(file), path=str(_require_file(file)))


def _list_password_files(policies: Iterable[Policy]) -> Iterator[str]:
    for registry in (registry for policy in policies for registry in policy.registries):
        source = registry.credentials
        if source and source.password_env:
            raise _refuse_variable(f"the password of {registry.address}", source.password_env, "password_file")
        if source and (text := source.password_file or source.docker_config):
            yield text


def _refuse_variable(what: str, name: str, key: str) -> UsageError:
    return UsageError.of(
        "schedule-password-in-environment",
        f"{what} is in ${name}, which is not set in a scheduled run",
        f"name a file with {key}; systemd passes it to the run, so its user need not be able to read it",
    )


def _require_file(file: Path) -> Path:
    """Return the file, or config.json in a folder. Raises UsageError if this user can see that it does not exist."""
    try:
        if file.is_dir():
            file /= "config.json"
        if file.exists():
            return file
    except PermissionError:
        return file
    raise UsageError.of("credentials-missing", f"cannot read the password file {file}: no such file", "create it")


def _expand_home(text: str, account: pwd.struct_passwd) -> Path:
    """Return the path as the scheduled run resolves it: ~ is the home of its user."""
    in_home = text == "~" or text.startswith("~/")
    return Path(account.pw_dir + text[1:] if in_home else text).expanduser().absolute()


def _list_named_files(selection: NodeSelection, config: Path | None) -> Iterator[str]:
    """Yield the files that the options name."""
    yield from (str(config),) if config else ()
    yield from (source for source in selection.sources if Path(source).exists())
    yield from (file for file in selection.vault.password_files if Path(file).exists())
