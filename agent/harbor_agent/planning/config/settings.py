"""Every setting of harbor-agent.yaml, with its meaning as in its JSON Schema and docs/reference/configuration.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from harbor_agent.model.policy import ANSWER_TIMEOUT, DriftLimits, KeyForm, Rollout, RouteChoice, SecretPolicy
from harbor_agent.planning.config import kinds
from harbor_agent.planning.config.kinds import Kind, Setting, build_choice, build_count
from harbor_agent.planning.config.receivers import RECEIVERS
from harbor_agent.planning.config.sections import (
    allow_one_of,
    build_list,
    build_section,
    require_both,
)

if TYPE_CHECKING:
    from harbor_agent.planning.config.reader import Reader

WRITTEN_SOURCES = ("password_env", "password_file", "docker_config")
PASSWORD_SOURCES = (*WRITTEN_SOURCES, "password")  # the last comes from --password-stdin only
_SECRET_DEFAULTS, _ROLLOUT_DEFAULTS = SecretPolicy(), Rollout()
_MIN_DEADLINE = 10  # seconds; no dockerd with containers restarts faster

_CREDENTIALS = build_section(
    Setting("username", kinds.TEXT, "user at the registry"),
    Setting("email", kinds.TEXT, "e-mail address, only shown in the secret"),
    Setting("password_env", kinds.TEXT, "environment variable with the password"),
    Setting("password_file", kinds.TEXT, "file with the password"),
    Setting(
        "docker_config", kinds.TEXT, "Docker's config.json with the login, or with the credential helper that has it"
    ),
    Setting("password", kinds.NO_PASSWORD, "not in this file: use password_env, password_file or docker_config"),
    rules={"allOf": allow_one_of(*WRITTEN_SOURCES)},
)
_SECRET = build_section(
    Setting("name", kinds.TEXT, "name of the secret", _SECRET_DEFAULTS.name),
    Setting(
        "namespaces",
        kinds.TEXTS,
        "namespaces; `*` for all, `(context)` for that of the kubeconfig's context",
        list(_SECRET_DEFAULTS.namespaces),
    ),
    Setting("namespace_selector", kinds.TEXT, "also namespaces with these labels, in kubectl's syntax"),
    Setting("exclude_namespaces", kinds.TEXTS, "never these; alone, all namespaces but these"),
    Setting("service_accounts", kinds.TEXTS, "service accounts in these namespaces that the secret is attached to"),
    Setting(
        "force_insecure",
        kinds.SWITCH,
        "`true`: KubeSphere's annotation `force-insecure` for an `https://` registry too, so that KubeSphere 4 "
        "verifies no certificate when it validates the secret",
        default=False,
    ),
    Setting(
        "key_form",
        build_choice(*get_args(KeyForm)),
        "`kubesphere`: `http://HOST` in the secret; `plain`: `HOST`",
        _SECRET_DEFAULTS.key_form,
    ),
)
_RESOLVE = build_section(
    Setting("address", kinds.IP_ADDRESS, "IP address that the name resolves to"),
    Setting(
        "nodes",
        kinds.SWITCH,
        "`true` adds the name to each node's /etc/hosts, in a block of its own at the end; no restart",
        default=False,
    ),
    Setting("cluster", kinds.CLUSTER_DNS, "`false` leaves the cluster's DNS as it is", "auto"),
    rules={"if": {"type": "object"}, "then": {"required": ["address"], "properties": {"address": {"type": "string"}}}},
)
_IF_ABSENT = {
    "if": {"required": ["state"], "properties": {"state": {"const": "absent"}}},
    "then": {"properties": {"address": kinds.REMOVED_ADDRESS.schema}},
    "else": {"properties": {"address": kinds.ADDRESS.schema}},
}
_OF_REGISTRY = (
    Setting("state", build_choice("present", "absent"), "`absent` removes the entry from the nodes", "present"),
    Setting(
        "verify_image",
        kinds.IMAGE,
        "`project/repository:tag` that every node pulls; removed again if the node did not have it",
    ),
    Setting(
        "ca_file",
        kinds.TEXT,
        "file with the CA (PEM) of an `https://` registry; each node gets it as "
        "`/etc/docker/certs.d/HOST[:PORT]/harbor-agent.crt`",
    ),
    Setting(
        "ca_from_harbor",
        kinds.FINGERPRINT,
        "`{sha256: …}`: fetch the CA that Harbor offers for download, if it has this SHA-256 fingerprint. `{}` shows "
        "the fingerprint and stops",
    ),
    Setting(
        "system_trust",
        kinds.SWITCH,
        "`true`: the CA is also in the nodes' trust store, for programs other than the runtime (Debian's and Red Hat's "
        "layout)",
        default=False,
    ),
    Setting(
        "client_certificate",
        kinds.TEXT,
        "file with the client certificate (PEM) for a registry that asks for one (mutual TLS)",
    ),
    Setting(
        "client_key",
        kinds.TEXT,
        "file with its private key (PEM, not encrypted); on nodes it is 0600, and no diff shows it",
    ),
    Setting(
        "kubelet_login",
        kinds.SWITCH,
        "`true`: the login is also in a file of kubelet on each node (0600), which offers it to every pod. It is the "
        "only setting that leaves a login on a node",
        default=False,
    ),
    Setting("credentials", _CREDENTIALS, "login at the registry; checked before any node is changed"),
    Setting(
        "answer_timeout",
        build_count(1),
        "seconds for each answer of the registry and its token service after the first, when a login is checked",
        ANSWER_TIMEOUT,
    ),
    Setting(
        "resolve",
        _RESOLVE,
        "what the registry's name resolves to, for pods (`dns apply`, and `apply` if a kubeconfig is named) and with "
        "`nodes` on nodes; only for a name, not for an IP address. The login check here uses it too, if the name does "
        "not resolve on this machine",
    ),
    Setting("secret", _SECRET, "pull secret in the cluster; none is made without this key"),
)
_ADDRESS = "`host[:port]`, as image names begin; `http://` is assumed"
_PRESENT = build_section(Setting("address", kinds.ADDRESS, _ADDRESS), *_OF_REGISTRY)
_ABSENT = build_section(Setting("address", kinds.REMOVED_ADDRESS, _ADDRESS), *_OF_REGISTRY)


def _read_registry(reader: Reader) -> object:
    """Return the settings of a registry, which may be its address alone."""
    if isinstance(reader.value, str):
        return {"address": kinds.ADDRESS.read(reader)}
    is_absent = reader.child("state").value == "absent"
    found = (_ABSENT if is_absent else _PRESENT).read(reader)
    if reader.child("address").value is None:
        raise reader.build_error("registry without an 'address'", "add 'address: host[:port]', such as 192.168.0.99")
    return found


REGISTRY = Kind(
    read=_read_registry,
    schema={
        "anyOf": [
            {**kinds.ADDRESS.schema, "description": _ADDRESS},
            {
                **_PRESENT.schema,
                "type": "object",
                "required": ["address"],
                "allOf": [_IF_ABSENT, *require_both("client_certificate", "client_key")],
            },
        ]
    },
    settings=_PRESENT.settings,
)
REGISTRIES = build_list(REGISTRY)
ROUTE = build_choice(*RouteChoice)
_ROLLOUT = build_section(
    Setting("canary", build_count(0), "nodes in the first wave", _ROLLOUT_DEFAULTS.canary),
    Setting(
        "batch",
        build_count(1, percent=True),
        "nodes in each further wave, a number or a percentage",
        _ROLLOUT_DEFAULTS.batch,
    ),
    Setting(
        "max_failed",
        build_count(0, percent=True),
        "the run halts if more nodes failed: a number or a percentage",
        _ROLLOUT_DEFAULTS.max_failed,
    ),
    Setting(
        "max_unreachable",
        build_count(0, percent=True),
        "the run halts if more nodes were lost",
        _ROLLOUT_DEFAULTS.max_unreachable,
    ),
    Setting(
        "health_deadline",
        build_count(_MIN_DEADLINE),
        "seconds for the daemon to be healthy after a change, and again after a rollback",
        _ROLLOUT_DEFAULTS.health_deadline,
    ),
    Setting("drain", kinds.SWITCH, "cordon a node and evict its pods before a restart, as `--drain`", default=False),
)
_DRIFT = build_section(
    Setting(
        "max_nodes", build_count(1), "nodes that one run corrects at most, as `--max-nodes`", DriftLimits().max_nodes
    ),
    Setting(
        "max_drifted",
        build_count(0, percent=True),
        "nothing is corrected if more drifted, as `--max-drifted`; at least two, of nodes and of pull secrets",
        DriftLimits().max_drifted,
    ),
)
SETTINGS = build_section(
    Setting("registries", REGISTRIES, "list of registries; each is an address or a mapping"),
    Setting("route", ROUTE, "the file on a node that gets the setting, as `--route`", "auto"),
    Setting(
        "runtime",
        kinds.RUNTIME,
        "the container runtime to configure. `auto` is the one that kubelet uses; without a kubelet the one that runs, "
        "and several are refused. `docker`, `containerd`, `cri-o` and `podman` change that one in any case",
        "auto",
    ),
    Setting("rollout", _ROLLOUT, "sizes of waves, and when a run halts"),
    Setting("drift", _DRIFT, "limits of `drift --correct`"),
    Setting("kubeconfig", kinds.TEXT, "cluster for secrets, drains and names with `resolve`"),
    Setting("notify", RECEIVERS, "receivers that get a summary at the end of a run, unless `--notify` names another"),
)
