"""Under which terms each part may be passed on, by its own metadata."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from packages import find_distributions

if TYPE_CHECKING:
    from importlib.metadata import Distribution
    from pathlib import Path

_HEAD = """\
# Licenses

What this folder holds, with its version and license. Texts are in `licenses/` and, for Python packages, in their
`.dist-info` folders under `lib/`. The Python packages are there as their source. The interpreter and the libraries in
it are built from Debian's source packages of these versions.

| part | version | license |
|---|---|---|
"""

# Packages that have no SPDX expression yet say it in words of their own, which differ between their releases.
_SPDX = {
    "Apache Software License": "Apache-2.0",
    "Apache Software License, Version 2.0": "Apache-2.0",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "ISC license": "ISC",
    "MIT License": "MIT",
}


def write_licenses(folder: Path) -> None:
    """Write LICENSES.md. Raises ValueError if a package does not name its license."""
    parts = json.loads((folder / "parts.json").read_text(encoding="utf-8"))
    rows = [(part["name"], part["version"], part["license"]) for part in parts]
    rows += [(part.metadata["Name"], part.version, find_license(part)) for part in find_distributions(folder)]
    text = _HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    (folder / "LICENSES.md").write_text(text, encoding="utf-8")


def find_license(distribution: Distribution) -> str:
    """Return the license of a package: its SPDX expression, else its short license field, else its classifiers.

    Raises ValueError if it names none.
    """
    metadata = distribution.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [value for value in metadata.get_all("Classifier", []) if value.startswith("License :: ")]
    named = [value.split(" :: ")[-1] for value in classifiers if value != "License :: OSI Approved"]
    field = metadata.get("License", "UNKNOWN")
    if field != "UNKNOWN" and "\n" not in field:
        return _SPDX.get(field, field)
    if not named:
        raise ValueError(f"{metadata['Name']} {distribution.version} does not name its license")
    return ", ".join(_SPDX.get(name, name) for name in named)
