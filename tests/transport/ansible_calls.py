"""The ssh calls of the real `ansible` for the hosts of an inventory, recorded by a program in place of ssh.

The program records its arguments, prompts for the passwords that ssh and sudo would prompt for, and exits. So tests
compare the calls after all of Ansible's processing of variables, settings and plugins.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PROGRAM = """\
#!{python} -SE
import json, os, re, subprocess, sys
arguments = sys.argv[1:]
if "-tt" not in arguments:
    sys.exit()
note = {{"arguments": arguments}}
if os.environ.get("SSH_ASKPASS"):
    asked = subprocess.run([os.environ["SSH_ASKPASS"], "password:"], stdout=subprocess.PIPE, text=True)
    note["password"] = asked.stdout.rstrip("\\n")
becomes = re.search(r"BECOME-SUCCESS-(\\w+)", arguments[-1])
prompt = re.search(r'-p "(\\[sudo via ansible[^"]*)"', arguments[-1])
if prompt or " su " in arguments[-1] or arguments[-1].startswith("su "):
    print(prompt[1] if prompt else "Password: ", end="", flush=True)
    note["become_password"] = sys.stdin.readline().rstrip("\\n")
with open(os.path.join({notes!r}, str(os.getpid())), "w") as file:
    json.dump(note, file)
if becomes:
    print("BECOME-SUCCESS-" + becomes[1], flush=True)
"""
_MARK = re.compile(r"the-host-is-([\w.]+)-mark")
# What Ansible adds to every call, and what stands in a field of its own.
_OF_ANSIBLE = re.compile(
    r"(ControlMaster|ControlPersist|ControlPath|StrictHostKeyChecking|Port|IdentityFile|User|ConnectTimeout"
    r"|KbdInteractiveAuthentication|PreferredAuthentications|PasswordAuthentication|NumberOfPasswordPrompts)="
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A connection to a host, as both tools describe it."""

    address: str
    port: int | None
    user: str | None
    key: str | None
    password: str | None
    arguments: tuple[str, ...]
    become: str | None
    become_password: str | None


def ways_of_ansible(folder: Path, scratch: Path, options: Sequence[str], environment: dict[str, str]) -> dict[str, Way]:
    """Run `ansible` in `folder` on every host that `options` select, and return how it went to each."""
    notes, programs = scratch / "notes", scratch / "programs"
    notes.mkdir()
    programs.mkdir()
    ssh = programs / "ssh"
    ssh.write_text(_PROGRAM.format(python=sys.executable, notes=str(notes)), encoding="utf-8")
    ssh.chmod(0o755)
    command = [str(Path(sys.executable).parent / "ansible"), "all", *options, "-m", "ansible.builtin.raw"]
    path = f"{programs}:{os.environ['PATH']}"
    done = subprocess.run(
        [*command, "-a", "true the-host-is-{{ inventory_hostname }}-mark"],
        cwd=folder,
        env={**environment, "PATH": path, "ANSIBLE_FORKS": "10", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = dict(_way(json.loads(note.read_text(encoding="utf-8"))) for note in notes.iterdir())
    assert found, done.stdout + done.stderr
    return found


def _way(note: dict[str, object]) -> tuple[str, Way]:
    arguments = [str(argument) for argument in note["arguments"]]  # type: ignore[union-attr]
    command = arguments.pop()
    address = arguments.pop()
    named = _MARK.search(command)
    assert named, command
    settings = dict(_settings(arguments))
    become = re.match(r"(sudo|su)\b", command.strip())
    return named[1], Way(
        address=address,
        port=int(settings["Port"]) if "Port" in settings else None,
        user=settings.get("User"),
        key=settings.get("IdentityFile"),
        password=note.get("password"),  # type: ignore[arg-type]
        arguments=tuple(without_fields(arguments)),
        become=become[1] if become else None,
        become_password=note.get("become_password"),  # type: ignore[arg-type]
    )


def _settings(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    for argument in arguments:
        name, separator, value = argument.partition("=")
        if separator and name in {"Port", "User", "IdentityFile"}:
            yield name, value.strip('"')


def without_fields(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments of ssh that the inventory asks for, without those that every call has."""
    rest = iter(arguments)
    for argument in rest:
        if argument in {"-C", "-tt"}:
            continue
        if argument == "-o":
            setting = next(rest)
            if not _OF_ANSIBLE.match(setting):
                yield from ("-o", setting)
        else:
            yield argument


def split(arguments: str) -> list[str]:
    """Split as Ansible splits ssh's arguments."""
    return shlex.split(arguments)
