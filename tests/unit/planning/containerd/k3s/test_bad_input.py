"""Files may hold anything: a plan or a refusal, never an exception."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harbor_agent.model.plan import Plan, Refusal
from harbor_agent.model.state import FileKind, FileState
from harbor_agent.planning.containerd.k3s.runtime import k3s
from tests.unit.planning.decisions import HARBOR, decide, refused, unwant

FOLDER = "/etc/rancher/k3s"
AGENT = "/var/lib/rancher/k3s/agent/etc/containerd"
PATHS = [
    *(f"{FOLDER}/registries.yaml", f"{FOLDER}/config.yaml", f"{FOLDER}/config.yaml.d/1.yaml"),
    *(f"{AGENT}/config.toml", f"{AGENT}/config.toml.tmpl", "/etc/systemd/system/k3s.service"),
]


class Files:
    """A tree in memory, with other kinds of files too."""

    def __init__(self, files: dict[str, FileState]) -> None:
        self.files = files

    def state(self, path: str) -> FileState:
        return self.files.get(path) or FileState(path=path)

    def names(self, directory: str) -> list[str]:
        below = [path.removeprefix(f"{directory}/") for path in self.files if path.startswith(f"{directory}/")]
        return sorted({path.partition("/")[0] for path in below})


def tree(contents: dict[str, bytes]) -> Files:
    return Files(
        {path: FileState(path=path, kind=FileKind.REGULAR, content=content) for path, content in contents.items()}
    )


YAML = st.text(alphabet="mirorsendpt:{}[]&*<- \t\n\"'#0~!|/").map(str.encode)


@given(contents=st.dictionaries(st.sampled_from(PATHS), st.one_of(st.binary(), YAML)), is_removal=st.booleans())
def test_any_files_are_planned_or_refused(contents: dict[str, bytes], *, is_removal: bool) -> None:
    state = k3s.observe_tree(tree(contents), "1.31.1")
    assert isinstance(decide(state, unwant(HARBOR) if is_removal else None), Plan | Refusal)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FileKind.SYMLINK, "file-symlinked"),
        (FileKind.DIRECTORY, "file-not-regular"),
        (FileKind.UNREADABLE, "file-unreadable"),
        (FileKind.TOO_LARGE, "file-too-large"),
    ],
)
def test_what_is_no_file_is_refused(kind: FileKind, code: str) -> None:
    path = f"{FOLDER}/registries.yaml"
    state = k3s.observe_tree(Files({path: FileState(path=path, kind=kind, link_target="/x")}), "1.31.1")
    assert refused(state).problem.code == code
