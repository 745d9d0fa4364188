"""harbor-agent render."""

from __future__ import annotations

from agent.cli import options
from agent.cli.guard import guarded
from agent.cli.output import write
from agent.errors import ExitCode


@guarded
def render(registry: options.Registries = None, config: options.Config = None) -> ExitCode:
    """Print the systemd drop-in that the KubeSphere guide shows, for the registries named.

    It is what a node without any settings of its own would get; plan shows what a given node needs.
    """
    from agent.engine.request import Asked, RegistryFlags
    from agent.engine.runs import policies_of, render_drop_in

    flags = RegistryFlags(addresses=tuple(registry or ()))
    write(render_drop_in(policies_of(Asked(flags=flags, config=config))).removesuffix("\n"))
    return ExitCode.DONE
