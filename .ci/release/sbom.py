"""Build dist/…cdx.json: the packages of the build with its own Python, the interpreter, and the libraries in it.

    sbom.py FOLDER      FOLDER is that build, which `make standalone` prints

What is compiled into a wheel is not listed here; some wheels list it themselves, in the `sboms` of their .dist-info.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[2]
_NAME = "harbor-node-agent"
Document = dict[str, Any]


def main() -> None:
    """Write the list again, and print where it is."""
    folder = Path(sys.argv[1]).resolve()
    parts = json.loads((folder / "parts.json").read_text(encoding="utf-8"))
    document = add_parts(name_project(list_packages(folder)), parts)
    text = json.dumps(document, indent=2) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"sbom: not as CycloneDX 1.6 wants it: {error}")
    target = ROOT / "dist" / f"{_NAME}-{document['metadata']['component']['version']}.cdx.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{target}\n")


def list_packages(folder: Path) -> Document:
    """Return what cyclonedx-py lists of the Python packages in `folder`, and of no other folder."""
    program = Path(sys.executable).with_name("cyclonedx-py")
    (python,) = folder.glob("bin/python3.*")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    listed = subprocess.run(
        [program, "environment", python, "--output-reproducible", "--spec-version", "1.6"],
        env=environment | {"PYTHONNOUSERSITE": "1"},
        check=True,
        stdout=subprocess.PIPE,
    )
    return json.loads(listed.stdout)


def name_project(document: Document) -> Document:
    """Make the project what the list is about; it has no address in a package index, because it is in none."""
    (project,) = (one for one in document["components"] if one["name"] == _NAME)
    components = [one for one in document["components"] if one is not project]
    about = {name: value for name, value in project.items() if name != "purl"} | {"type": "application"}
    return document | {"components": components, "metadata": document["metadata"] | {"component": about}}


def add_parts(document: Document, parts: list[dict[str, str]]) -> Document:
    """Add the interpreter and its libraries, of which `parts` has name, version and license; the first is Python."""
    interpreter, *libraries = (_build_component(part) for part in parts)
    used = [library["bom-ref"] for library in libraries]
    about = document["metadata"]["component"]["bom-ref"]
    dependencies = [
        one | {"dependsOn": [*one.get("dependsOn", []), interpreter["bom-ref"]]} if one["ref"] == about else one
        for one in document["dependencies"]
    ]
    return document | {
        "components": [*document["components"], interpreter | {"type": "platform"}, *libraries],
        "dependencies": [
            *dependencies,
            {"ref": interpreter["bom-ref"], "dependsOn": used},
            *({"ref": name} for name in used),
        ],
    }


def _build_component(part: dict[str, str]) -> Document:
    """Return a part as it was built: from Debian's source package of this name and version."""
    name, version = part["name"], part["version"]
    return {
        "bom-ref": f"{name}@{version}",
        "type": "library",
        "name": name,
        "version": version,
        "licenses": [{"license": {"id": part["license"]}}],
        "purl": f"pkg:deb/debian/{name}@{quote(version, safe='')}?arch=source",
    }


if __name__ == "__main__":
    main()
