"""A release is complete and of one version, or there is none; what it is built of is tried in other tests."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harbor_agent import __version__
from tests.needs import find_helm, image_archive, standalone_folder
from tests.shipping.collection import BIN

if TYPE_CHECKING:
    from subprocess import CompletedProcess

ROOT = Path(__file__).resolve().parents[2]
GALAXY = "playbooks/collections/ansible_collections/harbor_agent/nodes/galaxy.yml"
CHART = "charts/harbor-agent/Chart.yaml"
NAMING = ("agent/harbor_agent/__init__.py", GALAXY, CHART, ".ci/image/execution-environment.yml")
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n"
# Each target leaves a file of its name and version, which holds what it was started with.
MAKEFILE = """\
VERSION := $(shell sed -n 's/^__version__ = "\\(.*\\)"/\\1/p' agent/harbor_agent/__init__.py)
wheel: FILE = harbor_node_agent-$(VERSION)-py3-none-any.whl
sdist: FILE = harbor_node_agent-$(VERSION).tar.gz
collection: FILE = harbor_agent-nodes-$(VERSION).tar.gz
chart: FILE = harbor-agent-$(VERSION).tgz
bundle: FILE = bundle-harbor-node-agent-$(VERSION)-cp311-linux_x86_64.tar.gz
standalone: FILE = harbor-node-agent-$(VERSION)-linux-x86_64.tar.xz
sbom: FILE = harbor-node-agent-$(VERSION).cdx.json
image: FILE = harbor-node-agent-$(VERSION)-linux-x86_64-image.tar
wheel sdist collection chart bundle standalone sbom image:
	@echo "$@ $$HARBOR_AGENT_STANDALONE" > dist/$(FILE)
	@echo "made it: $(CURDIR)/dist/$(FILE)"
"""


class Checkout:
    """A small checkout of the project, with the programs that make a release and a Makefile that builds little."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / ".ci/release", root / ".ci/release", ignore=shutil.ignore_patterns("__pycache__"))
        for name in NAMING:
            self.write(name, (ROOT / name).read_text(encoding="utf-8"))
        self.write("CHANGELOG.md", CHANGELOG)
        self.write("Makefile", MAKEFILE)
        self.write(".gitignore", "__pycache__/\n/dist/\n")
        self.run("git", "init", "--quiet")
        self.commit()

    def write(self, name: str, text: str) -> None:
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text, encoding="utf-8")

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def run(self, *command: str) -> CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.root)}
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    def commit(self) -> None:
        self.run("git", "add", "--all")
        who = ("-c", "user.name=Someone", "-c", "user.email=someone@example.com")
        committed = self.run("git", *who, "commit", "--quiet", "--message", "A change")
        assert committed.returncode == 0, committed.stderr

    def raise_version(self, version: str) -> CompletedProcess[str]:
        return self.run(sys.executable, ".ci/release/raise_version.py", version)

    def release(self) -> CompletedProcess[str]:
        return self.run(sys.executable, ".ci/release/build.py")


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.syspath_prepend(str(ROOT / ".ci/release"))
    from contents import FILES  # type: ignore[import-not-found] # noqa: PLC0415 - beside the build that uses it

    return dict(FILES)


def test_this_checkout_has_one_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / ".ci/release"))
    from versions import find_differences, read_version  # type: ignore[import-not-found] # noqa: PLC0415

    assert read_version(ROOT) == __version__
    assert find_differences(ROOT) == []


def test_a_raised_version_is_released_with_all_files_and_their_sums(checkout: Checkout, files: dict[str, str]) -> None:
    raised = checkout.raise_version("7.0.0")
    assert raised.returncode == 0, raised.stderr
    assert 'appVersion: "7.0.0"' in checkout.read(CHART)
    assert all(checkout.read(name) != (ROOT / name).read_text(encoding="utf-8") for name in NAMING)
    changelog = checkout.read("CHANGELOG.md")
    assert re.search(r"## \[Unreleased\]\n\n## \[7\.0\.0\] - \d{4}-\d\d-\d\d\n\n### Added\n\n- A thing\.\n", changelog)
    checkout.commit()

    released = checkout.release()

    assert released.returncode == 0, released.stderr
    folder = Path(released.stdout.strip())
    assert folder == checkout.root / "dist/release-7.0.0"
    names = {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    assert len(names) == len(files)
    made = {target: fnmatch.filter(names, pattern.format("7.0.0")) for target, pattern in files.items()}
    assert all(len(found) == 1 for found in made.values()), made
    standalone = checkout.root / "dist/harbor-node-agent-7.0.0-linux-x86_64"
    for target in ("image", "sbom"):
        assert (folder / made[target][0]).read_text(encoding="utf-8") == f"{target} {standalone}\n"
    sums = subprocess.run(
        ["sha256sum", "--check", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert {line.partition(":")[0] for line in sums.stdout.splitlines()} == names
    assert checkout.release().returncode == 0


def test_a_tree_with_changes_is_refused(checkout: Checkout) -> None:
    checkout.raise_version("7.0.0")
    checkout.commit()
    checkout.write("left.txt", "")
    refused = checkout.release()
    assert refused.returncode == 1
    assert refused.stderr == "release: the tree has files that are not committed: left.txt\n"
    assert not (checkout.root / "dist").exists()


def test_a_version_without_a_section_is_refused(checkout: Checkout) -> None:
    refused = checkout.release()
    assert refused.returncode == 1
    assert f"CHANGELOG.md says nothing about {__version__}: make version VERSION={__version__}" in refused.stderr


def test_changes_after_the_version_are_refused(checkout: Checkout) -> None:
    checkout.raise_version("7.0.0")
    changelog = checkout.read("CHANGELOG.md")
    checkout.write("CHANGELOG.md", changelog.replace("[Unreleased]\n", "[Unreleased]\n\n- More.\n"))
    checkout.commit()
    refused = checkout.release()
    assert refused.returncode == 1
    assert "CHANGELOG.md has changes that are not in 7.0.0" in refused.stderr


@pytest.mark.parametrize("name", [GALAXY, CHART, ".ci/image/execution-environment.yml"])
def test_a_file_with_another_version_is_refused(checkout: Checkout, name: str) -> None:
    checkout.raise_version("7.0.0")
    checkout.write(name, checkout.read(name).replace("7.0.0", "7.0.1", 1))
    checkout.commit()
    refused = checkout.release()
    assert refused.returncode == 1
    assert refused.stderr == f"release: the version is 7.0.0, but in {name}: 7.0.1\n"


@pytest.mark.parametrize("broken", ["\t@exit 9\n", "\t@echo dist/harbor_node_agent-6.0.0-py3-none-any.whl\n"])
def test_no_release_is_left_if_one_of_its_files_is_not_built(checkout: Checkout, broken: str) -> None:
    checkout.raise_version("7.0.0")
    checkout.write("Makefile", f"wheel:\n{broken}")
    checkout.commit()
    failed = checkout.release()
    assert failed.returncode == 1
    assert "release: make wheel " in failed.stderr
    assert not (checkout.root / "dist/release-7.0.0").exists()


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("", "'' is not MAJOR.MINOR.PATCH"),
        ("7.0", "'7.0' is not MAJOR.MINOR.PATCH"),
        ("v7.0.0", "'v7.0.0' is not MAJOR.MINOR.PATCH"),
        ("0.0.9", f"0.0.9 is before {__version__}"),
    ],
)
def test_a_version_that_cannot_follow_is_refused(checkout: Checkout, version: str, reason: str) -> None:
    refused = checkout.raise_version(version)
    assert (refused.returncode, refused.stderr) == (1, f"version: {reason}\n")
    assert checkout.run("git", "status", "--porcelain").stdout == ""


def test_a_version_is_raised_once_and_for_something(checkout: Checkout) -> None:
    assert checkout.raise_version(__version__).returncode == 0
    assert checkout.raise_version(__version__).stderr == f"version: CHANGELOG.md has a section for {__version__}\n"
    assert checkout.raise_version("7.0.0").stderr == "version: CHANGELOG.md has nothing under [Unreleased]\n"


def test_every_file_of_a_release_has_a_target_and_is_described(files: dict[str, str]) -> None:
    rules = re.findall(r"^([a-z ]+):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert files.keys() <= {target for rule in rules for target in rule.split()}
    described = (ROOT / "docs/development.md").read_text(encoding="utf-8").partition("| file in `dist/release-")[2]
    rows = [row.split("|") for row in described.partition("\n\n")[0].splitlines()[2:]]
    assert len(rows) == len(files)  # wheel and sdist share one, and one is for the checksums
    for target, pattern in files.items():
        before, after = _split(pattern)
        (row,) = [one for one in rows if f"`make {target}`" in one[2]]
        assert before in row[1]
        assert after in row[1]


def _split(pattern: str) -> tuple[str, str]:
    """Return what a name begins and ends with, around what depends on the machine."""
    before, _, rest = pattern.format("0.2.0").partition("*")
    return before.removesuffix("cp"), rest.rpartition("*")[2]


@pytest.mark.needs("image", "standalone")
def test_the_files_that_ci_builds_are_named_as_in_a_release(files: dict[str, str]) -> None:
    built = {"image": image_archive().name, "standalone": f"{standalone_folder().name}.tar.xz"}
    for target, name in built.items():
        assert fnmatch.fnmatchcase(name, files[target].format(__version__))


def build(source: Path, target: Path) -> dict[str, Path]:
    command = [str(BIN / "hatchling"), "build", "--directory", str(target)]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120, check=False)
    assert built.returncode == 0, built.stderr
    return {path.name: path for path in target.iterdir()}


def test_the_source_archive_builds_the_same_files(tmp_path: Path, files: dict[str, str]) -> None:
    built = build(ROOT, tmp_path / "first")
    wheel, sdist = (files[target].format(__version__) for target in ("wheel", "sdist"))
    assert set(built) == {wheel, sdist}
    with tarfile.open(built[sdist]) as archive:
        archive.extractall(tmp_path, filter="data")
    again = build(tmp_path / sdist.removesuffix(".tar.gz"), tmp_path / "second")
    assert again[wheel].read_bytes() == built[wheel].read_bytes()
    with zipfile.ZipFile(built[wheel]) as packed:
        names = set(packed.namelist())
    pages = {name.rpartition("/")[2] for name in names if ".data/data/share/man/man1/" in name}
    assert {"harbor-agent.1", "harbor-agent-apply.1", "harbor-agent-config-check.1"} <= pages
    schemas = {f"harbor_agent/data/schemas/{path.name}" for path in (ROOT / "docs/schemas").glob("*.json")}
    assert schemas <= names


@pytest.mark.needs("helm")
def test_the_chart_has_the_version_of_the_package(tmp_path: Path, files: dict[str, str]) -> None:
    chart = tmp_path / files["chart"].format(__version__)
    subprocess.run([find_helm(), "package", ROOT / "charts/harbor-agent", "--destination", tmp_path], check=True)
    shown = subprocess.run([find_helm(), "show", "chart", chart], capture_output=True, text=True, check=True).stdout
    assert f"\nversion: {__version__}\n" in shown
    assert f"appVersion: {__version__}\n" in shown


def list_parts(folder: Path) -> dict[str, str]:
    rows = re.findall(
        r"^\| (\S+) \| (\S+) \| .*\|$", (folder / "LICENSES.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    return {name: version for name, version in rows if name != "part"}


@pytest.mark.needs("standalone")
def test_every_part_of_the_standalone_folder_is_listed(files: dict[str, str]) -> None:
    made = subprocess.run(["make", "--silent", "sbom"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    path = Path(made.stdout.strip())
    assert path.name == files["sbom"].format(__version__)
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    project, listed = document["metadata"]["component"], document["components"]
    assert {one["name"]: one["version"] for one in (project, *listed)} == list_parts(standalone_folder())
    assert [one["name"] for one in listed if not one.get("licenses")] == []
    known = {one["ref"] for one in document["dependencies"]}
    assert known == {one["bom-ref"] for one in (project, *listed)}
    # Nothing is in a package index yet.
    assert "purl" not in project
