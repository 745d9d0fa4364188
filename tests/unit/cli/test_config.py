"""config check, config schema and schema, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from jsonschema import Draft202012Validator

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Runner

DOCS = Path(__file__).resolve().parents[3] / "docs"
BROKEN = "registries:\n  - adress: h\nroute: json\n"


def test_a_broken_file_is_reported_with_lines_and_exit_code_2(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "harbor-agent.yaml").write_text(BROKEN, encoding="utf-8")
    done = run("config", "check")
    assert done.rc == 2
    assert done.out.splitlines() == [
        "harbor-agent.yaml:2: unknown key 'adress' [configuration-invalid]",
        "  -> did you mean 'address'?",
        "harbor-agent.yaml:2: registry without an 'address' [configuration-invalid]",
        "  -> add 'address: host[:port]', such as 192.168.0.99",
        "harbor-agent.yaml:3: invalid route: 'json' [configuration-invalid]",
        "  -> use one of: auto, drop-in, daemon-json",
        "harbor-agent.yaml: 3 errors",
    ]


def test_a_broken_file_is_a_document_for_programs(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(BROKEN, encoding="utf-8")
    done = run("config", "check", "c.yaml", "-o", "json")
    document = done.document()
    assert (done.rc, document["exit_code"], document["file"]) == (2, 2, "c.yaml")
    assert isinstance(document["errors"], list)
    assert [error["line"] for error in document["errors"]] == [2, 2, 3]


def test_a_login_that_an_option_completes_is_a_warning(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("registries:\n  - {address: h, credentials: {username: u}}\n", encoding="utf-8")
    done = run("config", "check", "c.yaml")
    assert done.rc == 0
    assert "no password source" in done.out
    assert "--password-stdin" in done.out
    assert done.out.splitlines()[-1] == "c.yaml: 1 warning"
    assert run("config", "check", "c.yaml", "-o", "json").document()["errors"] == []


def test_the_example_is_valid(run: Runner) -> None:
    example = str(DOCS / "reference/harbor-agent.example.yaml")
    assert run("config", "check", example).out == f"{example}: valid\n"


def test_a_missing_file_is_an_error(run: Runner) -> None:
    done = run("config", "check", "missing.yaml")
    assert done.rc == 2
    assert "cannot read missing.yaml: no such file" in done.err


def test_the_printed_schema_of_the_settings_validates_the_example(run: Runner) -> None:
    schema = json.loads(run("config", "schema").out)
    Draft202012Validator.check_schema(schema)
    example = yaml.safe_load((DOCS / "reference/harbor-agent.example.yaml").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(example)
    assert not Draft202012Validator(schema).is_valid({"registries": [{"adress": "h"}]})


def test_the_schemas_of_printed_documents_are_listed_and_printed(run: Runner) -> None:
    files = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (DOCS / "schemas").glob("*.json")}
    listed = dict(line.split(maxsplit=1) for line in run("schema").out.splitlines())
    assert listed == {name: schema["title"] for name, schema in files.items()}
    for name in ("run", "run-2", "harbor-agent/run/2"):
        assert json.loads(run("schema", name).out) == files["run-2"]


def test_an_unknown_schema_is_a_usage_error_with_a_suggestion(run: Runner) -> None:
    done = run("schema", "rum")
    assert done.rc == 2
    assert "unknown schema 'rum'; did you mean 'run'?" in done.err
