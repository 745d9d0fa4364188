"""Which files a k3s or RKE2 reads: by its defaults, its configuration, and the arguments of its unit."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harbor_agent.formats.registries_yaml.document import read_options
from harbor_agent.formats.text import FormatError
from harbor_agent.model.runtimes.containerd import K3S, K3sState
from harbor_agent.planning.containerd.unit import find_option, read_unit
from harbor_agent.planning.files.workspace import read_content
from harbor_agent.planning.refusal import RefusedError, refuse_file

if TYPE_CHECKING:
    from harbor_agent.model.state import NodeState

_DATA, _PRIVATE, _DOCKER, _ENDPOINT = "data-dir", "private-registry", "docker", "container-runtime-endpoint"
_OPTIONS = frozenset({_DATA, _PRIVATE, _DOCKER, _ENDPOINT})
_TRUE = frozenset({"true", "yes", "on", "1", "t"})
_TEMPLATES = ("config-v3.toml.tmpl", "config.toml.tmpl")  # rule KR-02
# The built-in template, a directory of registries, or the range over the mirrors of templates before 2024.
_READS_REGISTRIES = re.compile(
    rb'^[^#\r\n]*(?:\{\{-?\s*template\s+"base"|config_path\s*=|PrivateRegistryConfig)', re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The file of registries, and the folder in which the configuration of containerd is generated.

    `uses_docker` is whether it starts Docker instead of containerd, `endpoint` the runtime that it uses instead, "" if
    it starts its own.
    """

    registries: str
    folder: str
    uses_docker: bool = False
    endpoint: str = ""


def find_k3s(state: NodeState, name: str) -> K3sState | None:
    """Return the k3s or RKE2 of the node, None if it has none."""
    found = (one for one in state.runtimes if isinstance(one, K3sState))
    return next((one for one in found if one.name == name), None)


def require_k3s(state: NodeState, name: str) -> K3sState:
    """Return the k3s or RKE2 of a node that is known to have one."""
    found = find_k3s(state, name)
    if found is None:
        raise LookupError(f"the node has no {name}")
    return found


def build_folder(name: str) -> str:
    """Return the folder of its configuration."""
    return f"/etc/rancher/{name}"


def list_units(name: str) -> tuple[str, str]:
    """Return the names of the units of a server and of an agent."""
    return ("k3s.service", "k3s-agent.service") if name == K3S else ("rke2-server.service", "rke2-agent.service")


def is_server(state: NodeState) -> bool:
    """Whether the node runs a server of k3s or RKE2: the API server and, in most clusters, etcd."""
    found = (one for one in state.runtimes if isinstance(one, K3sState))
    return any(one.unit.name == list_units(one.name)[0] for one in found)  # rule KR-07


def read_settings(state: NodeState, k3s: K3sState) -> Settings:
    """Read the settings. Raises RefusedError for a configuration with which it does not start."""
    folder = build_folder(k3s.name)
    options: dict[str, str] = {}
    drop_ins = sorted(
        p for p in state.files if p.startswith(f"{folder}/config.yaml.d/") and p.endswith((".yaml", ".yml"))
    )
    for path in (f"{folder}/config.yaml", *drop_ins):
        content = read_content(state.files[path]) if path in state.files else None
        try:
            options |= read_options(content or b"", _OPTIONS)
        except FormatError as error:
            raise refuse_file(path, error) from None
    unit = read_unit(state.files, k3s.unit.name)
    words = unit.arguments if unit and unit.arguments else ("",)
    # an argument counts more than the file
    options |= {name: value for name in _OPTIONS if (value := find_option(words, name))}  # rule KR-04
    data = options.get(_DATA) or f"/var/lib/rancher/{k3s.name}"
    running = k3s.containerd.config_file if k3s.containerd.argv is not None else ""
    return Settings(
        registries=options.get(_PRIVATE) or f"{folder}/registries.yaml",
        folder=posixpath.dirname(running) or f"{data}/agent/etc/containerd",
        uses_docker=f"--{_DOCKER}" in words or options.get(_DOCKER, "").lower() in _TRUE,
        endpoint=options.get(_ENDPOINT, ""),
    )


def list_templates(settings: Settings) -> list[str]:
    """Return the paths of templates for the configuration of containerd: the first that exists counts."""
    return [f"{settings.folder}/{base}" for base in _TEMPLATES]


def require_registries_read(state: NodeState, k3s: K3sState, settings: Settings) -> None:
    """Refuse a node on which registries.yaml has no effect."""
    if settings.uses_docker:
        message = f"{k3s.name} uses Docker (docker: true), which does not read {settings.registries}"
        raise RefusedError("kubelet-uses-docker", message, _name_choice(state, "docker"))
    if settings.endpoint:
        message = f"{k3s.name} uses the runtime at {settings.endpoint}, which does not read {settings.registries}"
        raise RefusedError("settings-unclear", message, _name_choice(state, "NAME"))
    if settings.registries not in state.files:
        message = f"{k3s.name} reads {settings.registries}, which was not read from the node"
        raise RefusedError("settings-unclear", message, "name the file in config.yaml: private-registry")
    for path in list_templates(settings):
        content = read_content(state.files[path]) if path in state.files else None
        if content is None:
            continue
        if not _READS_REGISTRIES.search(content):  # rule KR-03
            message = f"{path} replaces the configuration of containerd without its registries"
            hint = f'add {{{{ template "base" . }}}} to it: without that {settings.registries} has no effect'
            raise RefusedError("template-without-base", message, hint)
        return


def _name_choice(state: NodeState, name: str) -> str:
    return f"plan that runtime: {f'--assume-runtime {name}=VERSION' if state.offline else f'--runtime {name}'}"
