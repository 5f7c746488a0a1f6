"""Options of a procedure as the parameters of a plan, with what graphical clients of the queue show of them."""

import inspect
from collections.abc import Callable
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

__all__ = ["plan_with_options"]


def plan_with_options(
    name: str, title: str, options: type[BaseModel], plan: Callable[[BaseModel], Any]
) -> Callable[..., Any]:
    """Make a plan whose parameters are the fields of `options`, by keyword or position; wrong values are refused.

    `plan` gets the checked document. Types, limits and descriptions are annotated as bluesky-queueserver wants them, so
    that it refuses a wrong value when a plan is put into the queue. Raises ImportError without bluesky-queueserver.
    """
    from bluesky_queueserver import parameter_annotation_decorator

    fields = options.model_fields
    # Those that must be given come first, as in any signature.
    ordered = sorted(fields, key=lambda each: not fields[each].is_required())
    signature = inspect.Signature(
        [
            inspect.Parameter(
                each,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if fields[each].is_required() else _plain(_default(fields[each])),
            )
            for each in ordered
        ]
    )

    def made(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs).arguments
        return (yield from plan(options.model_validate(given)))

    made.__name__ = made.__qualname__ = name
    made.__doc__ = f"{title[:1].upper()}{title[1:]}."
    made.__signature__ = signature  # type: ignore[attr-defined]
    annotation = {
        "description": made.__doc__,
        "parameters": {each: _annotation(each, fields[each]) for each in ordered},
    }
    annotated: Callable[..., Any] = parameter_annotation_decorator(annotation)(made)
    return annotated


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)


def _plain(value: Any) -> Any:
    """Return a default as JSON has it: the queue keeps parameters so."""
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def _annotation(name: str, field: FieldInfo) -> dict[str, Any]:
    """Describe a parameter: type, choices, limits; names in it are texts, which are patterns, not devices."""
    text, choices = _type_text(field.annotation, f"{name.capitalize()}Choice")
    found: dict[str, Any] = {
        "description": field.description or name.replace("_", " "),
        "annotation": text,
        "convert_device_names": False,
        "convert_plan_names": False,
    }
    if choices:
        found["enums"] = choices
    default = _default(field)
    if default is not PydanticUndefined:
        found["default"] = _plain(default)
    for constraint in _constraints(field.annotation, field.metadata):
        if isinstance(constraint, Ge | Gt):
            found["min"] = constraint.ge if isinstance(constraint, Ge) else constraint.gt
        elif isinstance(constraint, Le | Lt):
            found["max"] = constraint.le if isinstance(constraint, Le) else constraint.lt
    return found


def _constraints(annotation: Any, metadata: list[Any]) -> list[Any]:
    """Collect limits of numbers, also those that stand within an optional type."""
    if not _is_number(annotation):
        return []
    inner = [each for part in get_args(annotation) for each in getattr(part, "__metadata__", ())]
    return [*metadata, *inner]


def _is_number(annotation: Any) -> bool:
    return "str" not in (text := _type_text(annotation, "Choice")[0]) and ("int" in text or "float" in text)


def _type_text(annotation: Any, choice: str) -> tuple[str, dict[str, list[str]]]:
    """Write a type as the queue server reads it, with the names of its choices.

    Of others, which a user's script may have, the queue takes any value; the options document checks it.
    """
    if hasattr(annotation, "__metadata__"):  # Annotated
        return _type_text(get_args(annotation)[0], choice)
    if annotation in (bool, int, float, str):
        return annotation.__name__, {}
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return choice, {choice: [str(each) for each in arguments]}
    if origin in (Union, UnionType):
        inner = [each for each in arguments if each is not type(None)]
        if len(inner) == 1 and len(arguments) == 2:
            text, choices = _type_text(inner[0], choice)
            return f"typing.Optional[{text}]", choices
    if origin in (tuple, list) and arguments:
        text, choices = _type_text(arguments[0], choice)
        return f"typing.List[{text}]", choices
    return "typing.Any", {}
