"""CPU time of `harbor-agent --help` and `render` beside an import of typer, interleaved, median of 9 runs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from benchmarks.ssh.cost import WITH_BYTECODE

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import typer'": [sys.executable, "-c", "import typer"],
    "harbor-agent --help": [sys.executable, "-m", "harbor_agent.cli", "--help"],
    "harbor-agent render": [sys.executable, "-m", "harbor_agent.cli", "render", "--registry", "192.168.0.99"],
}
RUNS = 9


def cpu_seconds(command: list[str]) -> float:
    """Return user and system time of one run."""
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, env={**os.environ, **WITH_BYTECODE}, check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    """Measure and print a table."""
    measured: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(RUNS + 1):
        for name, command in COMMANDS.items():
            seconds = cpu_seconds(command)
            if turn:  # the first warms the caches
                measured[name].append(seconds)
    medians = {name: statistics.median(seconds) for name, seconds in measured.items()}
    baseline = medians["python -c pass"]
    print(f"{'command':<28}{'CPU s (median)':>16}{'ratio':>8}")
    for name, seconds in medians.items():
        print(f"{name:<28}{seconds:>16.3f}{seconds / baseline:>8.1f}")


if __name__ == "__main__":
    main()
