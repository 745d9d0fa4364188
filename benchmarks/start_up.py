"""CPU time of `harbor-agent --help` and `render` beside an import of typer, interleaved, median of 9 runs.

With $HARBOR_AGENT_STANDALONE, the folder that `make standalone` prints, also of that build, and its ratio to this one.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

from benchmarks.ssh.cost import WITH_BYTECODE

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import typer'": [sys.executable, "-c", "import typer"],
}
ARGUMENTS = {
    "--help": ["--help"],
    "plan --help": ["plan", "--help"],
    "render": ["render", "--registry", "192.168.0.99"],
}
RUNS = 9


def cpu_seconds(command: list[str]) -> float:
    """Return user and system time of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, env={**os.environ, **WITH_BYTECODE}, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def list_commands(standalone: str | None) -> dict[str, list[str]]:
    """Return what is measured, by name."""
    here = [sys.executable, "-m", "harbor_agent.cli"]
    commands = COMMANDS | {f"harbor-agent {name}": [*here, *arguments] for name, arguments in ARGUMENTS.items()}
    if standalone:
        program = f"{standalone}/bin/harbor-agent"
        commands |= {f"standalone {name}": [program, *arguments] for name, arguments in ARGUMENTS.items()}
    return commands


def main() -> None:
    """Measure and print a table."""
    standalone = os.environ.get("HARBOR_AGENT_STANDALONE")
    commands = list_commands(standalone)
    measured: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(RUNS + 1):
        for name, command in commands.items():
            seconds = cpu_seconds(command)
            if turn:  # the first warms the caches
                measured[name].append(seconds)
    medians = {name: statistics.median(seconds) for name, seconds in measured.items()}
    baseline = medians["python -c pass"]
    print(f"{'command':<28}{'CPU s (median)':>16}{'ratio':>8}")
    for name, seconds in medians.items():
        print(f"{name:<28}{seconds:>16.3f}{seconds / baseline:>8.1f}")
    for name in ARGUMENTS if standalone else ():
        ratio = medians[f"standalone {name}"] / medians[f"harbor-agent {name}"]
        print(f"{f'standalone : this, {name}':<44}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
