"""The document of config check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harbor_agent.views.json.common import begin_document, describe_problem

if TYPE_CHECKING:
    from harbor_agent.engine.request.config_check import CheckedFile
    from harbor_agent.errors import ExitCode
    from harbor_agent.planning.config.reader import SettingError
    from harbor_agent.views.json.common import Json

SCHEMA = "harbor-agent/config-check/2"


def build_check_document(checked: CheckedFile, code: ExitCode) -> Json:
    """Return the errors and warnings of a settings file, each with its line."""
    return {
        **begin_document(SCHEMA),
        "file": checked.path,
        "registries": checked.registries,
        "errors": [_describe_error(error) for error in checked.errors],
        "warnings": [_describe_error(error) for error in checked.warnings],
        "exit_code": int(code),
    }


def _describe_error(error: SettingError) -> Json:
    return {"line": error.line, **describe_problem(error.problem)}
