"""Objects of Kubernetes as YAML, after the commands that create what they need."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def manifests_text(objects: Sequence[dict[str, object]], commands: Sequence[str]) -> str:
    """Return the commands as comments, and the objects as YAML documents."""
    import yaml  # noqa: PLC0415 - slow to import

    lines = ["# Create the secrets first, from files of this machine; then apply this with kubectl apply -f -"]
    lines += [f"#   {command}" for command in commands]
    return "\n".join(lines) + "\n" + str(yaml.safe_dump_all(objects, sort_keys=False, explicit_start=True, width=120))
