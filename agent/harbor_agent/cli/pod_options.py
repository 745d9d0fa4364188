"""The options about pods in the cluster: those that prove a pull, and those that wait for an image."""

from __future__ import annotations

from typing import Annotated

from harbor_agent.cli.completion import complete_namespace
from harbor_agent.cli.help import Panel, build_option

WithPods = Annotated[bool, build_option(Panel.RUN, "--pod", "Have kubelet pull, for one short-lived pod on each node.")]
PodNamespace = Annotated[
    str | None,
    build_option(
        Panel.RUN,
        "-n --namespace",
        "Namespace (KubeSphere: project) of the pods.",
        metavar="NAME",
        show_default="the first one of the pull secret",
        autocompletion=complete_namespace,
    ),
]
ProveWithPods = Annotated[
    bool,
    build_option(
        Panel.RUN, "--prove-with-pods", "Verify each wave by pods, which pull with the secret; it is written first."
    ),
]
RetryPods = Annotated[
    bool,
    build_option(
        Panel.RUN, "--retry-pods", "At the end, delete pods that wait for an image, if a controller makes them again."
    ),
]
