"""The kinds that have pod templates, and where in an object those are.

`ANY` in a path is each item of a list, or each value of a mapping. A path of a kind that is not in its object, such as
the job template of another type, is no error.
"""

from __future__ import annotations

from typing import Final

Path = tuple[str, ...]

ANY: Final = "*"
CORE_GROUPS: Final = frozenset({"", "apps", "extensions", "batch"})
"""The API groups of Kubernetes itself; KubeSphere's annotation is of use only to their kinds."""

_TEMPLATE: Final[tuple[Path, ...]] = (("spec", "template"),)
_APPS: Final = dict.fromkeys(("Deployment", "DaemonSet", "ReplicaSet", "StatefulSet"), _TEMPLATE)
_VOLCANO: Final[tuple[Path, ...]] = (("spec", "tasks", ANY, "template"),)
_RAY: Final[tuple[Path, ...]] = (("headGroupSpec", "template"), ("workerGroupSpecs", ANY, "template"))
_REPLICATED: Final[Path] = ("replicatedJobs", ANY, "template", "spec", "template")
_METRICS: Final[tuple[Path, ...]] = (("spec", "metrics", ANY, "provider", "job", "spec", "template"),)
_WORKLOAD: Final[tuple[Path, ...]] = (("spec", "workloadTemplate", ANY, "spec", "template"),)
_RUNTIME: Final[tuple[Path, ...]] = (("spec", "template", "spec", *_REPLICATED),)


def _replicas(key: str) -> tuple[Path, ...]:
    return (("spec", key, ANY, "template"),)


# By API group and kind. The sources are the types in Go of each project (pkg/apis, api/).
_PATHS: Final[dict[str, dict[str, tuple[Path, ...]]]] = {
    "": {
        "Pod": ((),),
        "PodTemplate": (("template",),),
        "ReplicationController": _TEMPLATE,
        "DeploymentConfig": _TEMPLATE,  # OpenShift before 3.6
    },
    "apps": _APPS,
    "extensions": _APPS,
    "batch": {"Job": _TEMPLATE, "CronJob": (("spec", "jobTemplate", "spec", "template"),)},
    "apps.openshift.io": {"DeploymentConfig": _TEMPLATE},
    "argoproj.io": {
        "Rollout": _TEMPLATE,
        "Experiment": (("spec", "templates", ANY, "template"),),
        **dict.fromkeys(("AnalysisTemplate", "ClusterAnalysisTemplate", "AnalysisRun"), _METRICS),
    },
    "apps.kruise.io": {
        **dict.fromkeys(("CloneSet", "StatefulSet", "DaemonSet", "BroadcastJob"), _TEMPLATE),
        "AdvancedCronJob": (("spec", "template", ANY, "spec", "template"),),
        "UnitedDeployment": (("spec", "template", ANY, "spec", "template"),),
    },
    "game.kruise.io": {"GameServerSet": (("spec", "gameServerTemplate"),)},
    "apps.openyurt.io": {
        "UnitedDeployment": _WORKLOAD,
        "YurtAppDaemon": _WORKLOAD,
        "YurtAppSet": (("spec", "workload", "workloadTemplate", ANY, "spec", "template"), *_WORKLOAD),
    },
    "agones.dev": {
        "Fleet": (("spec", "template", "spec", "template"),),
        "GameServerSet": (("spec", "template", "spec", "template"),),
        "GameServer": _TEMPLATE,
    },
    "actions.github.com": dict.fromkeys(("AutoscalingRunnerSet", "EphemeralRunner"), _TEMPLATE),
    "elasticsearch.k8s.elastic.co": {"Elasticsearch": (("spec", "nodeSets", ANY, "podTemplate"),)},
    "kibana.k8s.elastic.co": {"Kibana": (("spec", "podTemplate"),)},
    "serving.knative.dev": {"Service": _TEMPLATE, "Configuration": _TEMPLATE, "Revision": ((),)},
    "batch.volcano.sh": {"Job": _VOLCANO, "CronJob": (("spec", "jobTemplate", "spec", "tasks", ANY, "template"),)},
    "flow.volcano.sh": {"JobTemplate": _VOLCANO},
    "kubeflow.org": {
        "TFJob": _replicas("tfReplicaSpecs"),
        "PyTorchJob": _replicas("pytorchReplicaSpecs"),
        "MPIJob": (*_replicas("mpiReplicaSpecs"), *_TEMPLATE),  # v1alpha1 had one template
        "MXJob": _replicas("mxReplicaSpecs"),
        "XGBoostJob": _replicas("xgbReplicaSpecs"),
        "PaddleJob": _replicas("paddleReplicaSpecs"),
        "JAXJob": _replicas("jaxReplicaSpecs"),
        "Notebook": _TEMPLATE,
    },
    "trainer.kubeflow.org": {"TrainingRuntime": _RUNTIME, "ClusterTrainingRuntime": _RUNTIME},
    "jobset.x-k8s.io": {"JobSet": (("spec", *_REPLICATED),)},
    "leaderworkerset.x-k8s.io": {
        "LeaderWorkerSet": (
            ("spec", "leaderWorkerTemplate", "leaderTemplate"),
            ("spec", "leaderWorkerTemplate", "workerTemplate"),
        )
    },
    "keda.sh": {"ScaledJob": (("spec", "jobTargetRef", "template"),)},
    "ray.io": {
        "RayCluster": tuple(("spec", *path) for path in _RAY),
        "RayJob": (*(("spec", "rayClusterSpec", *path) for path in _RAY), ("spec", "submitterPodTemplate")),
        "RayService": tuple(("spec", "rayClusterConfig", *path) for path in _RAY),
    },
}


def find_template_paths(group: str, kind: str) -> tuple[Path, ...] | None:
    """Return the paths to the pod templates of a kind, None for a kind that is not known."""
    return _PATHS.get(group, {}).get(kind)


def list_custom_kinds() -> dict[str, tuple[str, ...]]:
    """Return the known kinds by API group, without those of Kubernetes itself."""
    return {group: tuple(kinds) for group, kinds in _PATHS.items() if group not in CORE_GROUPS}
