"""Errors that pydantic finds in options and requests, in our words: what is wrong, the limit, what to do. Pure."""

from collections.abc import Mapping
from typing import Any

__all__ = ["worded"]

#: Bounds of numbers, and their words.
_BOUNDS = {"ge": "{} or more", "gt": "above {}", "le": "{} or less", "lt": "below {}"}
#: Bounds of lengths, and their words.
_LENGTHS = {"min_length": "{} or more", "max_length": "{} or fewer"}
#: Types in words, by pydantic's name.
_TYPES = {
    "int": "a whole number",
    "int_from_float": "a whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "string": "a text",
    "bool": "true or false",
    "list": "a list",
    "tuple": "a list",
    "dict": "an object with fields",
    "model": "an object with fields",
    "model_attributes": "an object with fields",
}
#: What is wrong and what to do, for errors that need no more words.
_PLAIN = {"missing": ("it is missing", "add it"), "extra_forbidden": ("it is not known here", "leave it out")}


def worded(error: Mapping[str, Any], given: str) -> tuple[str, str, str]:
    """Put an error of pydantic in words: what is wrong with the value that was `given`, the limit, and what to do."""
    kind, told = str(error["type"]), error.get("ctx", {})
    of_type = _TYPES.get(kind) or _TYPES.get(kind.removesuffix("_type").removesuffix("_parsing"))
    parts = "characters" if kind.startswith("string") else "entries"
    limit = next((form.format(told[name]) for name, form in _BOUNDS.items() if name in told), "")
    length = next((f"{form.format(told[name])} {parts}" for name, form in _LENGTHS.items() if name in told), "")
    if kind in _PLAIN:
        what, action = _PLAIN[kind]
        return what, "", action
    if length:
        return f"its length is outside the limit, {length}", length, f"give {length}"
    if limit and of_type is None:
        return f"{given or 'this'} is outside the limit, {limit}", limit, "give a value within it"
    if kind in ("literal_error", "enum"):
        choices = str(told.get("expected", ""))
        what, action = f"{given or 'this'} is not one of {choices}", "give one of these"
        return what, choices, action
    if of_type:
        return f"{given or 'this'} is not {of_type}", of_type, f"give {of_type}"
    if kind == "string_pattern_mismatch":
        return f"{given} has characters that are not allowed", f"pattern {told['pattern']}", "use others"
    text = str(told["error"]) if kind == "value_error" and "error" in told else str(error["msg"])
    return f"{text[:1].lower()}{text[1:]}", "", ""
