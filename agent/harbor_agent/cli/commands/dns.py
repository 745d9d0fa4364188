"""harbor-agent dns show | diff | apply."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from harbor_agent.cli import options
from harbor_agent.cli.command import command
from harbor_agent.cli.confirm import confirm
from harbor_agent.cli.console import print_json, print_result, print_status
from harbor_agent.cli.ending.notify import Notifier, Notify
from harbor_agent.cli.help import command_app, format_examples
from harbor_agent.cli.option_groups import DnsOptions, LockTimeout, NodeOptions, describe
from harbor_agent.cli.progress import Progress
from harbor_agent.cli.request import build_selection
from harbor_agent.cli.signals import graceful_stop
from harbor_agent.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from harbor_agent.engine.dns.ask import Askers
    from harbor_agent.engine.dns.report import DnsReport
    from harbor_agent.engine.request.resolve import Resolved
    from harbor_agent.kubernetes.cluster import Cluster

app = command_app(
    no_args_is_help=True,
    help="Add registry names to the cluster's DNS, for pods.",
    epilog=format_examples(
        "harbor-agent dns diff -c harbor-agent.yaml",
        "harbor-agent dns apply -c harbor-agent.yaml",
        "harbor-agent dns show",
    ),
)


@app.command("show", epilog=format_examples("harbor-agent dns show"))
@command
@describe(kubeconfig="Kubeconfig of the cluster that is read.")
def show(
    *,
    config: options.Config = None,
    kubeconfig: options.Kubeconfig = None,
    context: options.Context = None,
    output: options.Output = options.Format.TEXT,
) -> ExitCode:
    """List the cluster's DNS servers and our entries.

    Exits with 3 if another program has rewritten a text, so that an entry is missing.
    """
    from harbor_agent.engine.dns.plan import show_cluster_dns
    from harbor_agent.views.text.dns import shown_dns_text

    resolved = _resolve(DnsOptions(config=config, kubeconfig=kubeconfig, context=context))
    with _open(resolved) as cluster:
        report = show_cluster_dns(cluster)
    is_missing = any(not one.present for server in report.servers for one in server.recorded)
    return _finish(report, shown_dns_text(report), ExitCode.PENDING if is_missing else ExitCode.DONE, output)


@app.command(
    "diff",
    epilog=format_examples(
        "harbor-agent dns diff -c harbor-agent.yaml --exit-code",
        "harbor-agent dns diff --absent --registry harbor.lan",
    ),
)
@command
@describe(
    registry="Registry whose name is added (its address is in harbor-agent.yaml); repeatable.",
    kubeconfig="Kubeconfig of the cluster that is read.",
    absent="Show the removal of our entries for the registry; requires --registry.",
    inventory="Inventory of the nodes that are asked for their DNS servers, if the plan depends on them.",
    limit="Limit the asked nodes (Ansible pattern).",
)
def diff(
    *,
    dns: DnsOptions,
    nodes: NodeOptions,
    exit_code: options.ExitCodeFlag = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Show what `dns apply` would change; change nothing.

    Prints the diff of every ConfigMap.
    """
    from harbor_agent.engine.dns.plan import plan_cluster_dns
    from harbor_agent.views.text.dns import dns_text

    resolved = _resolve(dns)
    ask = _prepare_asking(nodes, verbose)
    with _open(resolved) as cluster:
        report = plan_cluster_dns(cluster, resolved.general, lambda: _list_nameservers(ask())).note_objections()
    return _finish(report, dns_text(report), report.compute_exit_code(pending=exit_code), output)


@app.command(
    "apply",
    epilog=format_examples(
        "harbor-agent dns apply -c harbor-agent.yaml -i inventory.ini",
        "harbor-agent dns apply --absent --registry harbor.lan",
    ),
)
@command
@describe(
    registry="Registry whose name is added (its address is in harbor-agent.yaml); repeatable.",
    kubeconfig="Kubeconfig of the cluster that is changed.",
    absent="Remove our entries for the registry; requires --registry.",
    inventory="Inventory of the nodes that ask DNS after the change; without it, none does.",
    limit="Limit the asking nodes (Ansible pattern).",
)
def apply(
    *,
    dns: DnsOptions,
    nodes: NodeOptions,
    accept_restart: options.AcceptRestart = False,
    lock_timeout: LockTimeout = 0.0,
    accept_unproven: options.AcceptUnproven = False,
    notify: Notify = None,
    yes: options.Yes = False,
    output: options.Output = options.Format.TEXT,
    verbose: options.Verbose = 0,
) -> ExitCode:
    """Add the entries, and prove that DNS answers with them.

    Shows the diff and asks for confirmation. Every DNS pod must load the new text; with an inventory, each node asks
    DNS too, over its SSH connection. If a pod does not load the text or an answer is wrong, the old text is restored.
    """
    from harbor_agent.engine.dns.apply import ApplyOptions
    from harbor_agent.engine.dns.plan import plan_cluster_dns
    from harbor_agent.engine.dns.prove import Patience
    from harbor_agent.engine.rollout.dns import apply_dns_only
    from harbor_agent.views.text.dns import dns_text

    with Notifier("dns apply", notify, tuple(nodes.inventory or ()), dns.config) as notifier:
        resolved = _resolve(dns)
        ask = _prepare_asking(nodes, verbose)
        with _open(resolved) as cluster:
            report = plan_cluster_dns(cluster, resolved.general, lambda: _list_nameservers(ask()))
            if not accept_restart:
                report = report.refuse_unconsented()
            if report.compute_exit_code() is ExitCode.DONE and report.is_pending:
                print_status(dns_text(report))
                if not yes:
                    confirm("Change the cluster's DNS?")
                askers, progress = ask(), Progress(verbose)
                with graceful_stop() as stop:
                    how = ApplyOptions(patience=Patience(stop=stop), listener=print_status, askers=askers)
                    report = apply_dns_only(cluster, report, resolved, how, progress, lock_timeout=lock_timeout)
        exit_code = report.compute_exit_code(accept_unproven=accept_unproven)
        report = notifier.notify_cluster(report, exit_code)
    return _finish(report, dns_text(report, diffs=False), exit_code, output)


def _prepare_asking(nodes: NodeOptions, verbose: int) -> Callable[[], Askers | None]:
    """Return a function that reads the inventory and asks its nodes what pods get from kubelet, once."""
    from harbor_agent.engine.plan.dns import load_askers

    return cache(lambda: load_askers(build_selection(nodes), Progress(verbose)))


def _list_nameservers(askers: Askers | None) -> tuple[str, ...] | None:
    return askers.nameservers if askers else None


def _finish(report: DnsReport, text: str, exit_code: ExitCode, output: options.Format) -> ExitCode:
    """Print the report as text or JSON; returns the exit code."""
    from harbor_agent.views.json.dns import build_dns_document

    if output is options.Format.JSON:
        print_json(build_dns_document(report, exit_code))
    else:
        print_result(text)
    return exit_code


def _resolve(dns: DnsOptions) -> Resolved:
    from harbor_agent.engine.request.request import RegistryFlags, RunRequest
    from harbor_agent.engine.request.resolve import resolve

    flags = RegistryFlags(
        addresses=tuple(dns.registry or ()), kubeconfig=dns.kubeconfig, context=dns.context, absent=dns.absent
    )
    return resolve(RunRequest(flags=flags, config=dns.config))


def _open(resolved: Resolved) -> Cluster:
    from harbor_agent.kubernetes.cluster import open_cluster

    return open_cluster(resolved.general.kubeconfig, resolved.request.flags.context)
