"""Generated units and drop-ins as the real systemd reads them: its test mode prints what it made of each."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harbor_agent.formats.systemd.environment_file import parse_environment_file
from harbor_agent.formats.systemd.service import evaluate_service
from harbor_agent.formats.systemd.unit import parse_unit
from harbor_agent.formats.text import FormatError, to_unicode

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEMD = Path("/usr/lib/systemd/systemd")
NOBODY = 65534
UNITS = 400
# It reads environment.d with the parser of EnvironmentFile=, and expands variables, of which the files hold none.
GENERATOR = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")
FILES = 300
FILE_PIECES = [
    "A=1", 'B="x y"', "C='p q'", '"', "'", "\\\n", "\\ \n", "\\\r\n", "\n", "\r\n", " ", "\t", "# c\n", "; d\n",
    "D=d", "E = e", '\nF="', "\nG='", "export H=1", "\\x41", "\\d", '\\"', "\\\\", "é", "A", "--log-opt", "\r",
    "\nA=a", 'z"q"', '"a" b',
]  # fmt: skip
PIECES = [
    "A=1", "B=--a --b", '"A=x y"', "C='p q'", '"', "'", "\\\n", "\\ \n", "\\\r\n", "\n", "\r\n", " ", "\t", "# c\n",
    "; d\n", "Environment=", "Environment = ", "Environment=\n", '\nEnvironment="DOCKER_OPTS=', "\n[Service]\n",
    "\n[Unit]\n", "\n[X-other]\n", "%%", "%Z", "50%-f", "\\x41", "\\s", "\\d", '\\"', "\\\\", "é", "$A", "${B}", "A",
    "=", "--log-opt max=5", "\nExecStart=/bin/true a", "\nExecStart=\n", '\nExecStart=-/bin/true "q r" \\\n $A',
    "\\101", "D=\"1\"2'3'", "\rX=1\r", "\ufeff",
]  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that an unprivileged systemd may read and write."""
    if not SYSTEMD.exists() or not shutil.which("setpriv"):
        pytest.skip("needs systemd and setpriv: apt-get install systemd util-linux")
    if os.geteuid() != 0:
        pytest.skip("needs root, to run systemd's test mode as nobody: run it as root")
    path = Path(tempfile.mkdtemp(prefix="harbor-agent-units-"))
    (path / "units").mkdir()
    for each in (path, path / "units"):
        os.chown(each, NOBODY, NOBODY)
    yield path
    shutil.rmtree(path)


def generated(seed: int) -> dict[str, list[bytes]]:
    """Return units, each with the drop-in it may have, as the files' contents."""
    source = random.Random(seed)

    def text(longest: int) -> str:
        return "".join(source.choice(PIECES) for _ in range(source.randint(1, longest)))

    units = {}
    for number in range(UNITS):
        head = "[Service]\nExecStart=/bin/true base\n" if source.random() < 0.7 else "[Service]\n"
        parts = [head + source.choice(["", "Environment="]) + text(14)]
        if source.random() < 0.4:
            parts.append("[Service]\n" + text(8))
        units[f"q{number}.service"] = [part.encode() for part in parts]
    return units


def loaded(folder: Path, units: dict[str, list[bytes]]) -> dict[str, str]:
    """Return what systemd prints of each unit that it loads."""
    place = folder / "units"
    for name, (unit, *drop_ins) in units.items():
        (place / name).write_bytes(unit)
        for drop_in in drop_ins:
            (place / f"{name}.d").mkdir()
            (place / f"{name}.d" / "x.conf").write_bytes(drop_in)
    (place / "all.target").write_text(f"[Unit]\nWants={' '.join(units)}\n")
    command = ["setpriv", f"--reuid={NOBODY}", "--clear-groups", str(SYSTEMD), "--test", "--user", "--no-pager"]
    home = str(folder)
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "SYSTEMD_UNIT_PATH": f"{place}:"}
    environment |= {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home, "XDG_RUNTIME_DIR": home}
    run = subprocess.run([*command, "--unit=all.target"], env=environment, capture_output=True, check=False, timeout=60)
    blocks = re.split(r"^\t?-> Unit ", run.stdout.decode("utf-8", "surrogateescape"), flags=re.MULTILINE)
    named = {block.partition(":")[0]: block for block in blocks}
    return {name: named[name] for name in units if "Unit Load State: loaded" in named.get(name, "")}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_environment_and_commands_are_those_that_systemd_sees(folder: Path, seed: int) -> None:
    units = generated(seed)
    seen = loaded(folder, units)
    assert len(seen) > UNITS / 4
    for name, block in seen.items():
        try:
            service = evaluate_service([(str(index), parse_unit(part)) for index, part in enumerate(units[name])])
        except FormatError:
            continue  # systemd goes on without the rest of a drop-in, the planner refuses the file
        # a value that ends in a line end cannot be told from the line that it is printed on
        ours = [f"{name}={to_unicode(one.meaning)}".rstrip("\n") for name, one in service.environment.items()]
        printed = re.findall(r"^\t\tEnvironment: (.*?)\n+(?=\t)", block, flags=re.MULTILINE | re.DOTALL)
        assert sorted(ours) == sorted(printed), units[name]
        commands = [[to_unicode(word.text) for word in command.placed] for command in service.commands]
        assert commands == [words_of(line) for line in re.findall(r"Command Line: (.*)", block)], units[name]


def words_of(line: str) -> list[str]:
    """Split a command line as systemd prints it: quoted and escaped like a shell's."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line)
    return [
        re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match[1], match[1]), quoted or bare) for quoted, bare in found
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_environment_files_are_those_that_systemd_sees(tmp_path: Path, seed: int) -> None:
    if not GENERATOR.exists():
        pytest.skip("needs systemd: apt-get install systemd")
    source = random.Random(seed)
    (tmp_path / "environment.d").mkdir()
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    others = printed_by(environment)
    for _ in range(FILES):
        content = "".join(source.choice(FILE_PIECES) for _ in range(source.randint(1, 14))).encode()
        (tmp_path / "environment.d" / "x.conf").write_bytes(content)
        values = {line.name: to_unicode(line.value.text) for line in parse_environment_file(content).variables}
        # an empty value is an assignment in an environment file, and an error in environment.d
        if all(values.values()):
            assert printed_by(environment) == {**others, **values}, content


def printed_by(environment: dict[str, str]) -> dict[str, str]:
    run = subprocess.run([GENERATOR], env=environment, capture_output=True, check=True, timeout=10)
    lines = (line.partition("=") for line in run.stdout.decode().split("\n") if line)
    return {name: unquoted(value) for name, _, value in lines}


def unquoted(value: str) -> str:
    """Undo the quotes and escapes in which systemd prints a value for a shell."""
    inner = value[2:-1] if value.startswith("$'") else value[1:-1] if value.startswith('"') else value
    return re.sub(r"\\(.)", lambda match: {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1]), inner)
