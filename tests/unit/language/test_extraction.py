"""Which strings of the code are texts that people read, and so must be translated."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / ".ci/texts"))

from extract import extract_texts  # noqa: E402 - a script beside others


def extract(tmp_path: Path, code: str) -> list[str]:
    module = tmp_path / "module.py"
    module.write_text(f"text = {code}\n", encoding="utf-8")
    return extract_texts(module)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            '"-n names the namespace of pods, and --pod is missing"',
            "-n names the namespace of pods, and --pod is missing",
        ),
        ("f\"--user: no user '{name}' on this machine\"", "--user: no user '{name}' on this machine"),
        ('f"--limit {limit} matches no host"', "--limit {limit} matches no host"),
        (
            '"--runtime, the settings or harbor_runtime choose it"',
            "--runtime, the settings or harbor_runtime choose it",
        ),
        ('f"cannot read {path}: {reason}"', "cannot read {path}: {reason}"),
    ],
)
def test_a_sentence_is_a_text_also_if_it_begins_with_an_option(tmp_path: Path, code: str, text: str) -> None:
    assert extract(tmp_path, code) == [text]


@pytest.mark.parametrize(
    "code",
    [
        '"-n --namespace"',
        '"-o ControlMaster=no -o ControlPath=none"',
        '"-o PubkeyAcceptedKeyTypes=+ssh-rsa"',
        '"--service-account NAME"',
        'f"--runtime {name}"',
        'f"--assume-runtime {name}=VERSION"',
        'f"--on-calendar: {output}"',
        '"harbor-agent explain"',
        '"kubectl get pods"',
    ],
)
def test_options_and_commands_are_not(tmp_path: Path, code: str) -> None:
    assert extract(tmp_path, code) == []
