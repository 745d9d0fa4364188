"""What a test needs of the machine, and what to say where it is missing.

A test marked `@pytest.mark.needs("nodes")` is skipped, with the reason and the way to get it, where booted
nodes cannot be had. `HARBOR_AGENT_REQUIRE=nodes,apiserver` turns such a skip into a failure.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from functools import cache
from pathlib import Path

from tests.lab.possible import why_no_nodes

_PROGRAMS = {
    "sshd": ("openssh-server", ("/usr/sbin/sshd", "ssh-keygen")),
    "registry": ("docker-registry", ("docker-registry",)),
    "busybox": ("busybox", ("busybox",)),
    "shellcheck": ("shellcheck", ("shellcheck",)),
    "kubectl": ("kubernetes-client", ("kubectl",)),
    "dnsmasq": ("dnsmasq-base", ("dnsmasq",)),
    "faketime": ("faketime", ("faketime",)),
    "promtool": ("prometheus", ("promtool",)),
    "groff": ("groff-base", ("groff",)),
    "chromium": ("chromium", ("chromium",)),
    "fish": ("fish", ("fish",)),
    "zsh": ("zsh", ("zsh",)),
}
_COREFILE_PARSER = "src/github.com/coredns/caddy/caddyfile"
_LAB_PROGRAMS = ("systemd-nspawn", "mmdebstrap", "ip", "docker-registry", "/usr/sbin/sshd")

GRAFANA_SCHEMA = Path(__file__).resolve().parents[1] / ".grafana/node_modules"
GROOVY = Path(__file__).resolve().parents[1] / ".groovy"
AXE = Path(__file__).resolve().parents[1] / ".axe/axe.min.js"
HELM = Path(__file__).resolve().parents[1] / ".helm/helm"
PYTHON_3_13 = Path(__file__).resolve().parents[1] / ".venv-3.13/bin/python"

_CLUSTER_PROGRAMS = ("kubelet", "kube-controller-manager", "kube-scheduler", "pause")

IMPLIED = {
    "nodes": ("root", "sshd", "registry", "busybox", "shellcheck", "dnsmasq", "faketime"),
    "cluster": ("nodes", "apiserver"),
}


def required() -> frozenset[str]:
    """Return the needs that must be met, from the environment."""
    named = {name.strip() for name in os.environ.get("HARBOR_AGENT_REQUIRE", "").split(",") if name.strip()}
    return frozenset(named.union(*(IMPLIED.get(name, ()) for name in named)))


@cache
def missing(need: str) -> str | None:
    """Return why `need` is not met and how to get it; None where it is met."""
    check = {
        "root": _missing_root,
        "nodes": _missing_nodes,
        "apiserver": _missing_apiserver,
        "cluster": _missing_cluster,
        "corefile-parser": _missing_corefile_parser,
        "python3.13": _missing_python,
        "standalone": _missing_standalone,
        "kubernetes-validate": _missing_schemas,
        "helm": _missing_helm,
        "axe": _missing_axe,
        "groovy": _missing_groovy,
        "grafana-schema": _missing_grafana_schema,
        "check-jsonschema": _missing_pipeline_schemas,
        "image": _missing_image,
    }.get(need)
    return check() if check else _missing_program(need)


def apiserver_assets() -> Path:
    """Return the folder that holds kube-apiserver and etcd, or would."""
    return Path(os.environ.get("KUBEBUILDER_ASSETS") or "/usr/local/kubebuilder/bin")


def cluster_assets() -> Path:
    """Return the folder that holds kubelet and the other programs of a cluster, or would."""
    return Path(os.environ.get("HARBOR_AGENT_CLUSTER_ASSETS") or "/usr/local/kubebuilder/bin")


def standalone_folder() -> Path:
    """Return the folder that `make standalone` has built, or would have."""
    return Path(os.environ.get("HARBOR_AGENT_STANDALONE") or "/nonexistent")


def image_archive() -> Path:
    """Return the archive that `make image` has built, or would have."""
    return Path(os.environ.get("HARBOR_AGENT_IMAGE") or "/nonexistent")


def corefile_parser_source() -> Path:
    """Return the GOPATH that holds CoreDNS's own parser of Corefiles, or would."""
    packaged = Path("/usr/share/gocode")
    cached = Path(os.environ.get("HARBOR_AGENT_LAB_CACHE") or "/var/cache/harbor-agent-lab") / "corefile-parser"
    return packaged if (packaged / _COREFILE_PARSER).is_dir() else cached


def _missing_root() -> str | None:
    return None if os.geteuid() == 0 else "needs root: run it as root"


def _missing_python() -> str | None:
    return None if PYTHON_3_13.exists() else "needs a Python 3.13 with the packages: make python-3.13"


def find_helm() -> str:
    """Return the path of helm, or where `make helm` would put it."""
    return shutil.which("helm") or str(HELM)


def _missing_helm() -> str | None:
    return None if Path(find_helm()).exists() else "helm is not in the path: make helm"


def _missing_grafana_schema() -> str | None:
    if shutil.which("node") is None:
        return "node is not in the path: apt-get install nodejs"
    here = all((GRAFANA_SCHEMA / name).exists() for name in ("typescript", "@grafana/schema"))
    return None if here else "the types of Grafana's dashboards are not here: make grafana-schema"


def _missing_axe() -> str | None:
    return None if AXE.is_file() else "needs axe-core: make axe"


def _missing_groovy() -> str | None:
    return None if GROOVY.is_dir() else "needs a grammar of Groovy: make groovy"


def _missing_schemas() -> str | None:
    if importlib.util.find_spec("kubernetes_validate"):
        return None
    return "the schemas of Kubernetes are not installed: pip install kubernetes-validate"


def _missing_pipeline_schemas() -> str | None:
    if importlib.util.find_spec("check_jsonschema"):
        return None
    return "the schemas of CI systems are not installed: pip install check-jsonschema"


def _missing_standalone() -> str | None:
    if not os.access(standalone_folder() / "bin/harbor-agent", os.X_OK):
        return (
            "needs a build with its own Python: set HARBOR_AGENT_STANDALONE to the folder that 'make standalone' prints"
        )
    return None if shutil.which("objdump") else "needs objdump: apt-get install binutils"


def _missing_image() -> str | None:
    if image_archive().is_file():
        return None
    return "needs the image: set HARBOR_AGENT_IMAGE to the archive that 'make image' prints"


def _missing_program(need: str) -> str | None:
    package, programs = _PROGRAMS[need]
    absent = [name for name in programs if not shutil.which(name)]
    return f"needs {', '.join(absent)}: apt-get install {package}" if absent else None


def _missing_corefile_parser() -> str | None:
    absent = [] if shutil.which("go") else ["golang-go"]
    if not (corefile_parser_source() / _COREFILE_PARSER).is_dir():
        absent.append("golang-github-coredns-caddy-dev (Debian sid)")
    return f"needs {' and '.join(absent)}: run 'make lab-packages'" if absent else None


def _missing_apiserver() -> str | None:
    folder = apiserver_assets()
    absent = [name for name in ("kube-apiserver", "etcd") if not os.access(folder / name, os.X_OK)]
    if not absent:
        return None
    return f"needs {' and '.join(absent)} in {folder}: run 'setup-envtest use' and set KUBEBUILDER_ASSETS"


def _missing_cluster() -> str | None:
    reason = _missing_nodes() or _missing_apiserver()
    if reason:
        return reason
    folder = cluster_assets()
    absent = [name for name in _CLUSTER_PROGRAMS if not os.access(folder / name, os.X_OK)]
    if not absent:
        return None
    return f"needs {', '.join(absent)} 1.20 in {folder}: set HARBOR_AGENT_CLUSTER_ASSETS to a folder that has them"


def _missing_nodes() -> str | None:
    if os.geteuid() != 0:
        return "needs booted nodes, which need root: run it as root"
    absent = [name for name in _LAB_PROGRAMS if not shutil.which(name)]
    if absent:
        return f"needs booted nodes; missing {', '.join(absent)}: run 'make lab-packages'"
    refused = why_no_nodes()
    return f"needs booted nodes, which this machine refuses ({refused}): run it on one of your own" if refused else None
