"""harbor-agent trust-hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import tell, write, write_json
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_selection
from harbor_agent.errors import ExitCode
from harbor_agent.views.text.style import Color, render_problem, style

if TYPE_CHECKING:
    from harbor_agent.transport.ssh.host_keys import HostKey

app = options.command_app()

_COLOURS = {"known": Color.GREEN, "added": Color.GREEN}


@app.command(epilog=options.examples("harbor-agent trust-hosts -i inventory.ini"))
@command
def trust_hosts(
    *,
    nodes: options.NodeOptions,
    yes: options.Yes = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Add the host keys of new nodes and bastions to known_hosts, after you have compared their fingerprints.

    A key that has changed is never replaced. With --yes whoever answers is trusted, and the fingerprints are shown.
    """
    from harbor_agent.engine.host_keys import trust_hosts
    from harbor_agent.views.json.host_keys import build_trust_document

    report = trust_hosts(build_selection(nodes), lambda keys: _confirm_keys(keys, yes=yes), Progress(verbose))
    if output is options.Format.JSON:
        write_json(build_trust_document(report))
        return report.exit_code
    for key in report.keys:
        status = style(key.status.value, _COLOURS.get(key.status.value, Color.RED), bold=True)
        write(f"{_name(key)}: {status}{_shown(key)}")
        if key.problem:
            write("\n".join(render_problem(key.problem)))
    added = sum(key.status.value == "added" for key in report.keys)
    write(f"{added} added, {sum(key.status.value == 'known' for key in report.keys)} known before")
    return report.exit_code


def _confirm_keys(keys: Sequence[HostKey], *, yes: bool) -> None:
    """Show the keys on standard error and ask. Raises StoppedError for a no, and where there is nobody to ask."""
    width = max(len(_name(key)) for key in keys)
    tell("\n".join(f"  {_name(key):{width}} {_shown(key)}" for key in keys))
    tell("Compare each with what the host itself says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    if yes:
        tell(style("--yes: trusted without a look; whoever answered may be anybody", Color.RED))
        return
    question = f"Are these {len(keys)} keys right?" if len(keys) > 1 else "Is this key right?"
    confirm(question, outcome="no host key was added", hint="run trust-hosts on a terminal")


def _name(key: HostKey) -> str:
    return key.host if key.known_as == key.host else f"{key.host} ({key.known_as})"


def _shown(key: HostKey) -> str:
    return f"  {key.key_type} {key.fingerprint}" if key.fingerprint else ""
