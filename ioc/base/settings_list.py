"""All settings of the configuration, one by one: key, meaning, type, limits, default and value."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gnomon.ioc.base.config import Config

__all__ = ["Setting", "as_text", "list_settings"]


@dataclass(frozen=True)
class Setting:
    """One setting: `key` is its path (`network.ca_port`), `limits` a text that is empty where there are none.

    What an item of a list may hold has keys like `access.rules[].allow`; its `value` is the default.
    """

    key: str
    description: str
    type: str
    limits: str
    default: Any
    value: Any

    @property
    def is_part_of_item(self) -> bool:
        """True if this describes the items of a list, and has no value of its own."""
        return "[]" in self.key

    @property
    def changed(self) -> bool:
        """True if the value differs from the default."""
        return bool(self.value != self.default)


def list_settings(config: Config | None = None) -> list[Setting]:
    """List all settings in the order of the file; values are those of `config`, by default the defaults."""
    return list(_settings(config or Config(), Config(), ""))


def as_text(value: Any) -> str:
    """Write a value so that YAML reads the same one, on one line: texts in double quotes, `1.0e-06` for 1e-06."""
    text: str = yaml.dump(
        value, Dumper=_Quoting, default_flow_style=True, width=math.inf, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n...\n").removesuffix("\n")


class _Quoting(yaml.SafeDumper):
    """Write texts in double quotes, so that none is taken for a number, a truth value, or a list."""


_Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


def _settings(section: BaseModel, default: BaseModel, path: str) -> Iterator[Setting]:
    for name, field in type(section).model_fields.items():
        value, usual = getattr(section, name), getattr(default, name)
        if isinstance(value, BaseModel):
            yield from _settings(value, usual, f"{path}{name}.")
        else:
            yield _setting(path + name, field, usual, value)
            if (item := _item_of_a_list(field.annotation)) is not None:
                for part, below in item.model_fields.items():
                    preset = None if below.is_required() else below.default
                    yield _setting(f"{path}{name}[].{part}", below, preset, preset)


def _setting(key: str, field: FieldInfo, default: Any, value: Any) -> Setting:
    return Setting(
        key, field.description or "", _type(field.annotation), _limits(field), _plain(default), _plain(value)
    )


def _item_of_a_list(annotation: Any) -> type[BaseModel] | None:
    """Find the section that each item of a list is."""
    item = next(iter(get_args(annotation)), None)
    return item if isinstance(item, type) and issubclass(item, BaseModel) else None


def _plain(value: Any) -> Any:
    """Turn a value into what JSON and YAML can write."""
    match value:
        case BaseModel():
            return value.model_dump(mode="json", exclude_defaults=True)
        case Path():
            return str(value)
        case tuple() | list():
            return [_plain(one) for one in value]
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case _:
            return value


def _type(annotation: Any) -> str:
    """Name a type as people do who write YAML."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in arguments)
    if origin in (Union, UnionType):
        return " or ".join("null" if one is NoneType else _type(one) for one in arguments)
    if origin is tuple:
        return f"list of {_plural(_type(arguments[0]))}"
    if origin is dict:
        return f"mapping of names to {_plural(_type(arguments[1]))}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.__name__.removesuffix("Rule").lower() + " rule"
    return {bool: "true or false", int: "integer", float: "number", str: "text", Path: "file name"}[annotation]


def _plural(name: str) -> str:
    if name.startswith("`"):  # words to choose from
        return name
    return name.replace("list of", "lists of", 1) if name.startswith("list of") else f"{name}s"


def _limits(field: FieldInfo) -> str:
    """Write the bounds of a number, and of the length of a text or list."""
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "max_length": "at most"}
    found = [
        f"{word} {bound if isinstance(bound, int) else format(bound, '.15g')}"
        + (" characters" if name == "max_length" else "")
        for part in field.metadata
        for name, word in words.items()
        if (bound := getattr(part, name, None)) is not None
    ]
    if any(getattr(part, "min_length", None) == 1 for part in field.metadata):
        found.append("not empty")
    return ", ".join(found)
