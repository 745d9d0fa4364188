"""What a run by the clock is made of: whose it is, what it is started with, and what its user must be able to reach."""

from __future__ import annotations

import os
import pwd
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.drift.metrics import parse_metrics_path
from harbor_agent.engine.plan.nodes import load_nodes
from harbor_agent.engine.request.config_file import configuration_file
from harbor_agent.engine.request.credentials import credential_name
from harbor_agent.engine.request.passwords import find_questions
from harbor_agent.engine.request.request import NodeSelection, RegistryFlags, RunRequest
from harbor_agent.engine.request.resolve import require_registry, resolve
from harbor_agent.errors import UsageError
from harbor_agent.planning.schedule import Credential, Schedule, build_unit_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from harbor_agent.engine.events import Listener
    from harbor_agent.model.policy import CredentialsSource, Policy
    from harbor_agent.planning.schedule import Timing

# PrivateTmp= gives the service folders of its own in the place of these.
_HIDDEN = ("/tmp", "/var/tmp")  # noqa: S108 - they are looked for, nothing is written there
# Prints what cannot be had: each argument is a letter of test(1) and a path.
_CANNOT = 'for one; do test "-${one%%:*}" "${one#*:}" || printf "%s\\n" "$one"; done'
_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRequest:
    """What was asked for on the command line; `user` None is whoever asks, also behind sudo."""

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
    """A schedule with what its user must be able to have: `readable` paths, and a folder to write in."""

    schedule: Schedule
    nodes: int
    readable: tuple[str, ...]


def make_schedule(request: ScheduleRequest, listener: Listener) -> ReadySchedule:
    """Read settings and inventory as the run will, and return what is to be installed.

    Raises UsageError for what is wrong in them, and for what a run that nobody watches cannot have.
    """
    selection = request.selection.make_absolute()
    _require_no_question(selection)
    account = _account(request.user)
    config = configuration_file(request.config)
    metrics = parse_metrics_path(request.metrics) if request.metrics else None
    flags = RegistryFlags(addresses=request.addresses)
    nodes = load_nodes(selection, listener)
    resolved = resolve(RunRequest(selection=selection, flags=flags, config=request.config), nodes)
    if request.correct:
        require_registry(resolved.policies)
    unit = build_unit_name(request.name)
    command = [*_program(), "drift", *_arguments(request, selection, config, metrics)]
    command += ["--correct", "--yes", "--note", f"by {unit}.timer"] if request.correct else []
    state_home = _state_home(account)
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
        credentials=tuple(_credentials(resolved.policies, account)) if request.correct else (),
    )
    kubeconfig = resolved.general.kubeconfig if request.correct else None
    keys = (node.private_key_file for node in nodes)
    own = (str(_at_home(text, account)) for text in (kubeconfig, *keys) if text)
    readable = (schedule.folder, _program()[0], *_named(selection, config), *own)
    return ReadySchedule(schedule=schedule, nodes=len(nodes), readable=tuple(dict.fromkeys(readable)))


def require_reachable(ready: ReadySchedule) -> None:
    """Raise UsageError where the schedule's user cannot read or write what the run needs.

    For another user than that of this process it takes root.
    """
    schedule = ready.schedule
    paths = [*ready.readable, *([schedule.metrics_folder] if schedule.metrics_folder else [])]
    hidden = [path for path in paths if schedule.confined and _is_hidden(path)]
    if hidden:
        raise UsageError.of(
            "schedule-path-closed",
            f"{hidden[0]} will not be there for the timed run, which has a /tmp of its own",
            "keep it elsewhere, such as in the home directory",
        )
    wanted = [f"r:{path}" for path in ready.readable]
    wanted += [f"w:{schedule.metrics_folder}"] if schedule.metrics_folder else []
    wanted.append(f"w:{_first_there(Path(schedule.state_folder))}")
    done = as_user(schedule.user, ["/bin/sh", "-c", _CANNOT, "sh", *wanted])
    if closed := done.stdout.splitlines():
        letter, _, path = closed[0].partition(":")
        raise UsageError.of(
            "schedule-path-closed",
            f"{schedule.user} cannot {'read' if letter == 'r' else 'write in'} {path}",
            f"change that, or name another user with --user; as that user: test -{letter} {shlex.quote(path)}",
        )


def as_user(name: str, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command as that user, with the user's groups and none of ours. Raises UsageError where it cannot be."""
    account = _account(name)
    is_another = account.pw_uid != os.geteuid()
    try:
        return subprocess.run(  # noqa: S603 - the command is ours
            argv,
            check=False,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            cwd="/",
            user=account.pw_uid if is_another else None,
            group=account.pw_gid if is_another else None,
            extra_groups=os.getgrouplist(name, account.pw_gid) if is_another else None,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError.of(
            "schedule-path-closed", f"nothing can be run as {name}: {error}", "run it as root"
        ) from None


def _require_no_question(selection: NodeSelection) -> None:
    if any(find_questions(selection)) or _asks_for_vault(selection):
        raise UsageError.of(
            "usage",
            "a timed run has nobody to ask for a password",
            "use keys, --vault-password-file, or variables that ansible-vault encrypted; nothing in ansible.cfg that "
            "asks (ask_pass, become_ask_pass, ask_vault_pass, prompt in vault_identity_list)",
        )


def _asks_for_vault(selection: NodeSelection) -> bool:
    if selection.transport == "local":  # reads no inventory
        return False
    from harbor_agent.inventory.load import requires_vault_prompt  # noqa: PLC0415 - Ansible's library is slow to import

    return requires_vault_prompt(selection.vault)


def _account(name: str | None) -> pwd.struct_passwd:
    """Return the account; by default of whoever asks, also behind sudo. Raises UsageError for an unknown one."""
    asks = os.geteuid()
    if name is None and asks == 0:
        name = os.environ.get("SUDO_USER")
    try:
        return pwd.getpwnam(name) if name else pwd.getpwuid(asks)
    except KeyError:
        message = f"--user: there is no user {name or asks} on this machine"
        raise UsageError.of("usage", message, "make it first, or name another with --user") from None


def _state_home(account: pwd.struct_passwd) -> str:
    """Return where that user's own runs keep lock and history."""
    ours = os.environ.get("XDG_STATE_HOME") if account.pw_uid == os.geteuid() else None
    return ours or f"{account.pw_dir}/.local/state"


def _program() -> list[str]:
    """Return the command that starts this very installation."""
    installed = Path(sys.executable).with_name("harbor-agent")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "harbor_agent.cli"]


def _arguments(
    request: ScheduleRequest, selection: NodeSelection, config: Path | None, metrics: Path | None
) -> list[str]:
    usual = NodeSelection()
    given = [
        *(("-i", source) for source in selection.sources),
        *((("--limit", selection.limit),) if selection.limit else ()),
        *((("--transport", selection.transport),) if selection.transport != usual.transport else ()),
        *((("--forks", str(selection.forks)),) if selection.forks != usual.forks else ()),
        *(("--vault-id", source) for source in selection.vault.ids),
        *(("--vault-password-file", file) for file in selection.vault.password_files),
        *(("--registry", address) for address in request.addresses),
        *((("-c", str(config)),) if config else ()),
        *((("--metrics", str(metrics)),) if metrics else ()),
    ]
    return [word for pair in given for word in pair]


def _credentials(policies: Iterable[Policy], account: pwd.struct_passwd) -> Iterator[Credential]:
    """Yield the files with passwords, each once. Raises UsageError for a password that a timer does not have."""
    seen = set()
    for registry in (registry for policy in policies for registry in policy.registries):
        source = registry.credentials
        if source and source.password_env:
            raise UsageError.of(
                "schedule-password-in-environment",
                f"the password of {registry.address} is in ${source.password_env}, which a timed run does not have",
                "name a file with password_file; the timer hands it over without its user being able to read it",
            )
        if source and (file := _file_of(source, account)) and (name := credential_name(file)) not in seen:
            seen.add(name)
            yield Credential(name=name, path=str(_existing(file)))


def _file_of(source: CredentialsSource, account: pwd.struct_passwd) -> Path | None:
    text = source.password_file or source.docker_config
    return _at_home(text, account) if text else None


def _existing(file: Path) -> Path:
    """Return the file, or docker's in the folder. Raises UsageError where it is not there, as far as this user sees."""
    try:
        if file.is_dir():
            file /= "config.json"
        if file.exists():
            return file
    except PermissionError:
        return file
    raise UsageError.of("credentials-missing", f"there is no password in {file}: no such file", "write it there")


def _at_home(text: str, account: pwd.struct_passwd) -> Path:
    """Return the path as the timed run will see it: ~ is that user's home."""
    own = text == "~" or text.startswith("~/")
    return Path(account.pw_dir + text[1:] if own else text).expanduser().absolute()


def _named(selection: NodeSelection, config: Path | None) -> Iterator[str]:
    """Yield the files that the command line names."""
    yield from (str(config),) if config else ()
    yield from (source for source in selection.sources if Path(source).exists())
    yield from (file for file in selection.vault.password_files if Path(file).exists())


def _first_there(folder: Path) -> Path:
    """Return the folder, or the one above it in which it would be made."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _is_hidden(path: str) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in _HIDDEN)
