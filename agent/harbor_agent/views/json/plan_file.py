"""A plan file: its JSON is the file's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harbor_agent.engine.plan.file import PlanFile
    from harbor_agent.views.json.common import Json


def build_plan_file_document(plan: PlanFile) -> Json:
    """Return the object that `plan show -o json` prints."""
    import msgspec  # noqa: PLC0415 - not needed for --help

    document: Json = msgspec.to_builtins(plan)
    return document
