"""harbor-agent.yaml, read with the line of every key, so that an error names its line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harbor_agent.errors import UsageError
from harbor_agent.local.files import describe_error
from harbor_agent.planning.config.reader import Source
from harbor_agent.planning.config.schema import PolicyLayer, parse_settings

if TYPE_CHECKING:
    import yaml

    from harbor_agent.planning.config.reader import Place

DEFAULT_FILE = "harbor-agent.yaml"


def load_configuration(path: str | None) -> PolicyLayer:
    """Read the file at `path`, or ./harbor-agent.yaml if it exists; without either return an empty layer.

    Raises UsageError if the named file is missing, is not YAML or has an unknown setting; the last two name the line.
    """
    if find_configuration_file(path) is None:
        return PolicyLayer()
    file = Path(path or DEFAULT_FILE)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError.of("configuration-missing", f"cannot read {file}: no such file", "check -c/--config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError.of(
            "configuration-unreadable",
            f"cannot read {file}: {describe_error(error)}",
            "check its permissions and its encoding",
        ) from None
    return parse_settings(*parse_yaml(text, str(file)))


def find_configuration_file(path: str | None) -> Path | None:
    """Return the path of the file that `load_configuration` reads, None if it reads none."""
    file = Path(path or DEFAULT_FILE)
    return file.absolute() if path is not None or file.exists() else None


def parse_yaml(text: str, name: str) -> tuple[object, Source]:
    """Parse one YAML document into plain values and the line of each. Raises UsageError naming file and line."""
    import yaml  # noqa: PLC0415 - not needed for --help

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[Place, int] = {(): 1}
        if root is not None:
            _collect_lines(root, (), lines, name)
        return yaml.safe_load(text), Source(name=name, lines=lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError.of("configuration-invalid", f"{name}:{line}: not YAML: {error.problem}", "") from None
    except yaml.YAMLError as error:
        raise UsageError.of("configuration-invalid", f"{name}: not YAML: {error}", "") from None


def _collect_lines(node: yaml.Node, place: Place, lines: dict[Place, int], name: str) -> None:
    """Add the line of every key and item below `node` to `lines`. Raises UsageError for a duplicate key."""
    import yaml  # noqa: PLC0415 - the caller has imported it

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            below = (*place, str(key.value))
            line = key.start_mark.line + 1
            if below in lines:
                message = f"{name}:{line}: duplicate key '{key.value}' (first in line {lines[below]})"
                raise UsageError.of("configuration-invalid", message, "remove one of them")
            lines[below] = line
            _collect_lines(value, below, lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[(*place, index)] = value.start_mark.line + 1
            _collect_lines(value, (*place, index), lines, name)
