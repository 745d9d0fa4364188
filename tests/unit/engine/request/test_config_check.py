"""`config check` finds everything that is wrong in a settings file, each with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harbor_agent.engine.request.config_check import check_configuration
from harbor_agent.engine.request.config_file import load_configuration
from harbor_agent.errors import UsageError
from harbor_agent.planning.config.merge import merge

if TYPE_CHECKING:
    from pathlib import Path

    from harbor_agent.engine.request.config_check import CheckedFile


def check(folder: Path, text: str) -> CheckedFile:
    file = folder / "c.yaml"
    file.write_text(text, encoding="utf-8")
    return check_configuration(str(file))


def test_every_error_of_a_file_is_found_in_the_order_of_lines(tmp_path: Path) -> None:
    checked = check(
        tmp_path,
        """\
route: json
registries:
  - h:99999
  - adress: h
  - address: good
  - address: h
    verify_image: /x
    credentials: {username: u, pasword_env: A}
    secret: {key_form: other, force_insecure: yes please}
rollout:
  batch: 0
  canary: -1
rollout:
  canary: 1
""",
    )
    found = [(error.line, error.problem.message.split(": ", 1)[1].split(":")[0]) for error in checked.errors]
    assert found == [
        (1, "invalid route"),
        (3, "registry address 'h"),
        (4, "unknown key 'adress'"),
        (4, "registry without an 'address'"),
        (7, "'/x' is not an image"),
        (8, "unknown key 'pasword_env'"),
        (9, "'force_insecure' must be true or false"),
        (9, "invalid key_form"),
        (13, "duplicate key 'rollout' (first in line 10)"),
    ]
    assert checked.registries == 1
    assert all(f"c.yaml:{error.line}: " in error.problem.message for error in checked.errors)


@pytest.mark.parametrize(
    ("registry", "line", "message"),
    [
        ("address: h\n    ca_file: ca.crt", 2, "plain HTTP"),
        ("address: h\n    verify_image: h/library/pause:3.9", 3, "repeats the address"),
        ("address: https://h\n    client_key: k", 2, "client_key without client_certificate"),
        ("address: h\n    resolve: {nodes: true}", 3, "no address"),
        ("address: h\n    credentials: {username: u, password_env: A, docker_config: f}", 3, "more than one password"),
        ("address: https://h\n    ca_file: missing.crt", 3, "cannot read the CA of h from missing.crt"),
        (
            "address: https://h\n    client_certificate: missing.crt\n    client_key: k",
            3,
            "cannot read the client certificate",
        ),
    ],
)
def test_what_does_not_fit_together_is_an_error_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: str, line: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    checked = check(tmp_path, f"registries:\n  - {registry}\n")
    assert [error.line for error in checked.errors] == [line]
    assert message in checked.errors[0].problem.message
    assert checked.warnings == ()


@pytest.mark.parametrize(
    ("registry", "message"),
    [
        ("address: h\n    credentials: {username: u}", "no password source"),
        ("address: h\n    credentials: {password_env: A}", "no username"),
        ("address: h\n    kubelet_login: true", "the registry has no login"),
        ("address: https://h\n    system_trust: true", "the registry has no CA"),
    ],
)
def test_what_an_option_can_add_is_a_warning(tmp_path: Path, registry: str, message: str) -> None:
    checked = check(tmp_path, f"registries:\n  - {registry}\n")
    assert checked.errors == ()
    (warning,) = checked.warnings
    assert message in warning.problem.message
    with pytest.raises(UsageError, match=message):  # without the option, a run refuses it
        merge([load_configuration(str(tmp_path / "c.yaml"))])


def test_registries_that_contradict_each_other_are_an_error(tmp_path: Path) -> None:
    registries = "".join(
        f"  - {{address: 'h:{port}', resolve: {{address: 10.0.0.{port}, nodes: true}}}}\n" for port in (1, 2)
    )
    (error,) = check(tmp_path, f"route: auto\nregistries:\n{registries}").errors
    assert error.line == 2
    assert "h has the addresses 10.0.0.1 and 10.0.0.2" in error.problem.message


@pytest.mark.parametrize("text", ["", "registries:\n", "# nothing\n", "registries: [h]\n"])
def test_a_file_without_errors_has_none(tmp_path: Path, text: str) -> None:
    checked = check(tmp_path, text)
    assert (checked.errors, checked.warnings) == ((), ())


def test_a_file_that_is_not_yaml_has_one_error(tmp_path: Path) -> None:
    (error,) = check(tmp_path, "registries: [a\nroute: x\n").errors
    assert error.line == 2


def test_no_password_is_read(tmp_path: Path) -> None:
    credentials = "{username: u, password_file: /missing/file}"
    checked = check(tmp_path, f"registries:\n  - {{address: h, credentials: {credentials}}}\n")
    assert (checked.errors, checked.warnings) == ((), ())
