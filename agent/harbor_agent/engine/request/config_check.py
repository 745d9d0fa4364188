"""A check of harbor-agent.yaml alone: everything that is wrong in it, without a connection to anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.engine.request.certificates import read_certificates
from harbor_agent.engine.request.config_file import DEFAULT_FILE, check_yaml, read_configuration
from harbor_agent.errors import UsageError
from harbor_agent.model.policy import Policy
from harbor_agent.planning.config.check import check_document
from harbor_agent.planning.config.reader import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harbor_agent.model.policy import Registry
    from harbor_agent.planning.config.reader import Place, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """The result of a check, in the order of the lines. `registries` is the number of those without an error."""

    path: str
    registries: int = 0
    errors: tuple[SettingError, ...] = ()
    warnings: tuple[SettingError, ...] = ()


def check_configuration(path: str | None) -> CheckedFile:
    """Check the file at `path`, or ./harbor-agent.yaml, and the certificates that it names.

    No password is read and nothing is contacted. Raises UsageError if the file cannot be read.
    """
    text = read_configuration(path)
    name = str(Path(path or DEFAULT_FILE))
    try:
        document, source, duplicates = check_yaml(text, name)
    except SettingError as error:
        return CheckedFile(path=name, errors=(error,))
    checked = check_document(document, source)
    certificates = [error for place, one in checked.registries for error in _check_certificates(one, place, source)]
    return CheckedFile(
        path=name,
        registries=len(checked.registries),
        errors=_sort_by_line([*duplicates, *checked.errors, *certificates]),
        warnings=_sort_by_line(checked.warnings),
    )


def _check_certificates(registry: Registry, place: Place, source: Source) -> Iterator[SettingError]:
    """Yield an error for each certificate that cannot be used; the CA that Harbor offers is not fetched."""
    alone = replace(registry, ca_from_harbor=None)
    parts = {
        "ca_file": replace(alone, client_certificate=None, client_key=None),
        "client_certificate": replace(alone, ca_file=None),
    }
    for key, part in parts.items():
        try:
            read_certificates(Policy(registries=(part,)))
        except UsageError as error:
            yield source.build_error((*place, key), error.problem)


def _sort_by_line(errors: list[SettingError] | tuple[SettingError, ...]) -> tuple[SettingError, ...]:
    return tuple(sorted(errors, key=lambda error: error.line or 0))
