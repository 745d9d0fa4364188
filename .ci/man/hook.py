"""Put the manual pages into a wheel, in share/man/man1, where pipx and man look for them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).resolve().parent))


class ManualPages(BuildHookInterface[Any]):
    """Builds the pages for each wheel; they are never in the repository, so they cannot be out of date."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Write the pages to a folder for this build, and add them to the wheel's data."""
        from pages import build_pages  # noqa: PLC0415 - needs typer, which is required for wheels only

        self._folder = tempfile.TemporaryDirectory(prefix="harbor-agent-man.")
        for name, text in build_pages().items():
            file = Path(self._folder.name) / name
            file.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(file)] = f"share/man/man1/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - as above
        """Remove the folder."""
        self._folder.cleanup()
