"""The group of the commands about pull secrets."""

from __future__ import annotations

from harbor_agent.cli.help import command_app, format_examples

app = command_app(
    no_args_is_help=True,
    help="Manage the pull secret in the cluster; no node is changed.",
    epilog=format_examples(
        "harbor-agent secret validate --registry 192.168.0.99 --username admin --password-stdin <./password",
        "harbor-agent secret diff -c harbor-agent.yaml",
        "harbor-agent secret apply --registry 192.168.0.99 --username admin --password-file ./password -n demo",
        "harbor-agent secret show -n demo",
    ),
)
