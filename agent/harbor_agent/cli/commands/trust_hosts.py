"""harbor-agent trust-hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import print_json, print_result, print_status
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.cli.option_groups import NodeOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_selection
from harbor_agent.errors import ExitCode
from harbor_agent.views.text.style import Color, style

if TYPE_CHECKING:
    from harbor_agent.transport.ssh.host_keys import HostKey

app = command_app()


@app.command(
    epilog=format_examples(
        "harbor-agent trust-hosts -i inventory.ini",
        "harbor-agent trust-hosts -i inventory.ini --limit node7",
    )
)
@command
@describe(
    limit="Limit the command to matching nodes (Ansible pattern, e.g. 'workers:!node7').",
    forks="Maximum number of hosts to ask in parallel.",
    yes="Trust every host that answers, without comparing fingerprints.",
)
def trust_hosts(
    *,
    nodes: NodeOptions,
    yes: options.Yes = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Add host keys of new nodes and bastions to known_hosts.

    Shows the fingerprints for comparison and asks for confirmation. A key that has changed is never replaced.
    """
    from harbor_agent.engine.host_keys import trust_hosts
    from harbor_agent.views.json.host_keys import build_trust_document
    from harbor_agent.views.text.host_keys import host_keys_text

    report = trust_hosts(build_selection(nodes), lambda keys: _confirm_keys(keys, yes=yes), Progress(verbose))
    if output is options.Format.JSON:
        print_json(build_trust_document(report))
    else:
        print_result(host_keys_text(report.keys))
    return report.exit_code


def _confirm_keys(keys: Sequence[HostKey], *, yes: bool) -> None:
    """Show the keys on standard error and ask. Raises StoppedError for a no, and without a terminal."""
    from harbor_agent.views.text.host_keys import new_keys_text

    print_status(new_keys_text(keys))
    print_status("Compare each with the one on the host itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")
    if yes:
        print_status(style("--yes: added without comparison; any machine could have answered", Color.RED))
        return
    question = f"Are these {len(keys)} keys correct?" if len(keys) > 1 else "Is this key correct?"
    confirm(question, outcome="no host key was added", hint="run trust-hosts on a terminal")
