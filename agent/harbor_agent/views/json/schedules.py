"""The installed schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.views.json.common import begin_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harbor_agent.engine.schedule.status import InstalledSchedule
    from harbor_agent.views.json.common import Json

SCHEDULES_SCHEMA = "harbor-agent/schedules/2"


def build_schedules_document(schedules: Sequence[InstalledSchedule]) -> Json:
    """Return the object that `schedule show -o json` prints."""
    return {
        **begin_document(SCHEDULES_SCHEMA),
        "schedules": [
            {
                "unit": one.unit,
                "enabled": one.is_enabled,
                "active": one.is_active,
                "running": one.is_running,
                "when": one.when,
                "user": one.user,
                "command": one.command,
                "next_run": one.next_run,
                "last_run": {
                    "ended": one.last_run.ended_at,
                    "exit_code": one.last_run.exit_code,
                    "result": one.last_run.result,
                }
                if one.last_run
                else None,
            }
            for one in schedules
        ],
    }
