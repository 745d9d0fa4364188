"""Groups of options: a parameter whose type is a dataclass is an option for each of its fields."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable


def expand_parameters(command: Callable[..., object]) -> list[inspect.Parameter]:
    """Return the command's parameters with every group replaced by its fields."""
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        hint = _read_hints(command)[parameter.name]
        if dataclasses.is_dataclass(hint):
            hints = _read_hints(hint)
            parameters += [_option(field.name, field.default, hints[field.name]) for field in dataclasses.fields(hint)]
        else:
            parameters.append(_option(parameter.name, parameter.default, hint))
    return parameters


def collect_arguments(command: Callable[..., object], values: dict[str, object]) -> dict[str, object]:
    """Return the arguments of the command, with every group built from the values of its fields."""
    arguments = dict(values)
    for name, hint in _read_hints(command).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            arguments[name] = hint(**{field.name: arguments.pop(field.name) for field in dataclasses.fields(hint)})
    return arguments


def _option(name: str, default: object, hint: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)


def _read_hints(annotated: Any) -> dict[str, Any]:  # noqa: ANN401 - a function or a class, and types of any kind
    hints = get_type_hints(annotated, include_extras=True)
    hints.pop("return", None)
    return hints
