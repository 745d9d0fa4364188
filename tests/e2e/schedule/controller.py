"""The machine of schedules: harbor-agent is installed on a node of a lab, and the others are its fleet."""

from __future__ import annotations

import json
import shlex
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.site import IMAGE, PULLER, Ended
from tests.lab import installation
from tests.lab.apiserver import running_apiserver
from tests.lab.images import busybox_root
from tests.lab.nodes import Lab
from tests.lab.registry import running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.apiserver import RunningApiServer
    from tests.lab.node import LabNode
    from tests.lab.registry import RunningRegistry

_SCHEMAS = Path(__file__).resolve().parents[3] / "docs/schemas"
UNIT = "harbor-agent-drift"
METRICS = "/var/lib/metrics/site.prom"
LOGIN = ("--username", PULLER.name, "--password-stdin")


class Controller:
    """The first node: harbor-agent is installed there, `ops` uses it in ~/cluster, and the others are its fleet."""

    def __init__(self, lab: Lab, registry: RunningRegistry, api: RunningApiServer) -> None:
        self.machine, *fleet = lab.nodes
        self.fleet = tuple(fleet)
        self.registry = registry
        self.api = api
        self._as_ops("umask 077; cat >.ssh/id_ed25519", lab.private_key.read_bytes())
        self._as_ops("cat >.ssh/known_hosts", lab.known_hosts.read_bytes())
        hosts = "".join(f"{node.name} ansible_host={node.address}\n" for node in self.fleet)
        self.write("inventory.ini", f"{hosts}[all:vars]\nansible_user=ops\nansible_become=true\n")
        self.write("harbor-agent.yaml", json.dumps(self._settings()))
        # ops cannot read it; the service gets it all the same.
        self.machine.run("umask 077; cat >/etc/harbor-password", stdin=PULLER.password.encode())
        self.machine.run(f"install -d -o ops {Path(METRICS).parent}")

    def _settings(self) -> dict[str, object]:
        credentials = {"username": PULLER.name, "password_file": "/etc/harbor-password"}
        registry = {"address": self.registry.entry, "verify_image": IMAGE, "credentials": credentials}
        return {"registries": [registry], "rollout": {"batch": 3}, "drift": {"max_drifted": "100%", "max_nodes": 4}}

    def want_secrets(self, namespaces: list[str], *, max_drifted: str) -> None:
        """Write the settings with a pull secret in these namespaces."""
        settings: dict[str, Any] = self._settings()
        settings["registries"][0]["secret"] = {"namespaces": namespaces, "service_accounts": ["default"]}
        settings["kubeconfig"] = "/home/ops/kubeconfig"
        settings["drift"]["max_drifted"] = max_drifted
        self.write("../kubeconfig", self.api.kubeconfig().read_text())
        self.write("harbor-agent.yaml", json.dumps(settings))

    def want_no_secrets(self) -> None:
        """Write the settings as they were at first."""
        self.write("harbor-agent.yaml", json.dumps(self._settings()))

    def _as_ops(self, command: str, stdin: bytes = b"") -> None:
        self.machine.run(command, stdin=stdin, user="ops")

    def write(self, name: str, text: str) -> None:
        self._as_ops(f"mkdir -p cluster && cat >cluster/{name}", text.encode())

    def agent(self, *arguments: str, sudo: bool = False, stdin: str = "", folder: str = "cluster") -> Ended:
        """Run it as ops would, in a folder of ops's home."""
        command = f"cd {shlex.quote(folder)} && {'sudo ' if sudo else ''}{installation.PROGRAM} {shlex.join(arguments)}"
        done = self.machine.run(command, check=False, timeout=120, user="ops", stdin=stdin.encode())
        return Ended(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def apply(self) -> None:
        """Bring the fleet to what is wanted."""
        applied = self.agent("apply", "-i", "inventory.ini", *LOGIN, "--yes", stdin=PULLER.password)
        assert applied.code == 0, applied.stderr

    def install(self, *further: str, inventory: str = "inventory.ini") -> Ended:
        return self.agent("schedule", "install", "-i", inventory, *further, "--yes", sudo=True)

    def show(self, unit: str = UNIT) -> dict[str, Any]:
        document = self.agent("schedule", "show", "-o", "json").document
        schema = json.loads((_SCHEMAS / "schedules-2.json").read_text(encoding="utf-8"))
        Draft202012Validator(schema).validate(document)
        (found,) = [one for one in document["schedules"] if one["unit"] == unit]
        return dict(found)

    def run_now(self, unit: str = UNIT) -> int:
        """Have systemd run the service as the timer does; returns its exit code. It must not count as failed then."""
        started = self.machine.run(f"systemctl start {unit}.service", check=False, timeout=120)
        assert started.returncode == 0, self.said(unit)
        return self.exit_code(unit)

    def exit_code(self, unit: str = UNIT) -> int:
        return int(self.machine.run(f"systemctl show {unit}.service -p ExecMainStatus --value").stdout)

    def is_failed(self, unit: str = UNIT) -> bool:
        return self.machine.succeeds(f"systemctl is-failed --quiet {unit}.service")

    def said(self, unit: str = UNIT) -> str:
        return self.machine.run(f"journalctl -u {unit}.service -n 60 -o cat --no-pager").stdout

    def metrics(self) -> dict[str, float]:
        """Each value by its short name, with status, outcome and node behind it."""
        text = self.machine.run(f"cat {METRICS}").stdout
        return {
            ".".join(
                (
                    sample.name.removeprefix("harbor_agent_drift_"),
                    *(sample.labels[name] for name in ("node", "outcome", "status") if name in sample.labels),
                )
            ): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def units(self) -> str:
        """Every file that systemd reads from the administrator, and what timers keep."""
        return self.machine.run("find /etc/systemd /var/lib/systemd/timers -printf '%p %y %m %l\\n' | sort").stdout

    def trusts(self, node: LabNode) -> bool:
        info = "docker info --format '{{json .RegistryConfig}}'"
        return node.succeeds(f"{info} | grep -q {self.registry.entry}")


@contextmanager
def booted_controller() -> Iterator[Controller]:
    """Boot it with a fleet of four shapes, a registry and an API server."""

    def prepare(node: LabNode) -> None:
        if node.number == 1:
            installation.install(node)

    shapes = ("no-docker", "docker.io", "kubespray", "docker-ce", "containerd-kubespray")
    suites, packages = (str(installation.suite()),), installation.PACKAGES
    with (
        Lab(shapes=shapes, suites=suites, packages=packages, prepare=prepare) as lab,  # type: ignore[arg-type]
        running_registry(
            lab.folder / "registry",
            authentication="token",
            logins=[PULLER],
            host=lab.address,
            port=5000,
            prefix=lab.network.inside(()),
        ) as registry,
        running_apiserver(lab.folder / "apiserver", host=lab.address, namespace=lab.name) as api,
    ):
        registry.push(*IMAGE.split(":"), root=busybox_root(lab.nodes[0].base))
        yield Controller(lab, registry, api)
