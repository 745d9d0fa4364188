"""harbor-agent.yaml, read with the line of every key, so that an error names its line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.errors import Problem, UsageError
from harbor_agent.local.files import describe_error
from harbor_agent.planning.config.reader import SettingError, Source
from harbor_agent.planning.config.schema import PolicyLayer, parse_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import yaml

    from harbor_agent.planning.config.reader import Place

DEFAULT_FILE = "harbor-agent.yaml"


def load_configuration(path: str | None) -> PolicyLayer:
    """Read the file at `path`, or ./harbor-agent.yaml if it exists; without either return an empty layer.

    Raises UsageError if the named file is missing, is not YAML or has an unknown setting; the last two name the line.
    """
    file = find_configuration_file(path)
    return PolicyLayer() if file is None else parse_settings(*parse_yaml(read_configuration(path), str(_name(path))))


def read_configuration(path: str | None) -> str:
    """Return the text of the file at `path`, or of ./harbor-agent.yaml. Raises UsageError if it cannot be read."""
    file = _name(path)
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError.of("configuration-missing", f"cannot read {file}: no such file", "check -c/--config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError.of(
            "configuration-unreadable",
            f"cannot read {file}: {describe_error(error)}",
            "check its permissions and its encoding",
        ) from None


def find_configuration_file(path: str | None) -> Path | None:
    """Return the path of the file that `load_configuration` reads, None if it reads none."""
    file = _name(path)
    return file.absolute() if path is not None or file.exists() else None


def parse_yaml(text: str, name: str) -> tuple[object, Source]:
    """Parse one YAML document into plain values and the line of each. Raises SettingError: the first mistake."""
    document, source, errors = check_yaml(text, name)
    if errors:
        raise errors[0]
    return document, source


def check_yaml(text: str, name: str) -> tuple[object, Source, list[SettingError]]:
    """Parse one YAML document; return plain values, the line of each, and the keys that are written twice.

    Raises SettingError if it is not YAML.
    """
    import yaml  # noqa: PLC0415 - not needed for --help

    lines: dict[Place, int] = {(): 1}
    source = Source(name=name, lines=lines)
    errors: list[SettingError] = []
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            errors = list(_collect_lines(root, (), lines, name, set()))
        return yaml.safe_load(text), source, errors
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _build_error(name, line, f"not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SettingError.of("configuration-invalid", f"{name}: not YAML: {error}") from None
    except ValueError as error:  # such as a date that does not exist
        raise SettingError.of("configuration-invalid", f"{name}: not YAML: {error}") from None
    except RecursionError:
        raise SettingError.of("configuration-invalid", f"{name}: values are nested too deeply") from None


def _name(path: str | None) -> Path:
    return Path(path or DEFAULT_FILE)


def _collect_lines(
    node: yaml.Node, place: Place, lines: dict[Place, int], name: str, seen: set[int]
) -> Iterator[SettingError]:
    """Add the line of every key and item below `node` to `lines`, and yield an error for each duplicate key.

    Nodes in `seen` (by identity) are left out: an alias has no lines of its own, and may be inside of its anchor.
    """
    import yaml  # noqa: PLC0415 - the caller has imported it

    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*place, str(key.value))
            line = key.start_mark.line + 1
            if below in lines:
                message = f"duplicate key '{key.value}' (first in line {lines[below]})"
                yield _build_error(name, line, message, "remove one of them")
                for replaced in [one for one in lines if one[: len(below)] == below]:
                    del lines[replaced]
            lines[below] = line
            yield from _collect_lines(value, below, lines, name, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*place, index)] = value.start_mark.line + 1
            yield from _collect_lines(value, (*place, index), lines, name, seen)


def _build_error(name: str, line: int, message: str, hint: str = "") -> SettingError:
    problem = Problem(code="configuration-invalid", message=message, hint=hint)
    return Source(name=name, lines={(): line}).build_error((), problem)
