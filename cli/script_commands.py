"""Commands of user scripts below `gnomon measure`, whose options are those of the script."""

import inspect
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer
from typer.core import TyperGroup
from typer.main import get_command

from gnomon.cli.lazy import adapted

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from gnomon.procedures.runnable import Runnable

#: Types of options that the command line has as they are; others are given as JSON.
PLAIN = (int, float, bool, str)


class ScriptGroup(TyperGroup):
    """A group that has, besides its commands, those of the user scripts of the configuration."""

    def command_of(self, runnable: "Runnable") -> Callable[..., None]:
        """Make the function of a script's command."""
        raise NotImplementedError

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names, those of scripts at the end."""
        return [*super().list_commands(ctx), *(name for name in self._scripts() if name not in self.commands)]

    def get_command(self, ctx: Any, name: str) -> Any:
        """Find a command, or make that of a script."""
        return super().get_command(ctx, name) or self._scripts().get(name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the arguments name; they can name the configuration. A broken script is told."""
        self._config = _config_of(args)
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self.commands and name not in self._scripts():
            from gnomon.procedures.user_scripts import script_name

            for error in self._broken:
                if script_name(error.file) == name:
                    raise error
        return super().resolve_command(ctx, args)

    _config: Path | None = None
    _broken: tuple[Any, ...] = ()
    _loaded: tuple[Path | None, dict[str, Any]] | None = None

    def _scripts(self) -> dict[str, Any]:
        """Load the scripts, and make their commands, once for each folder."""
        folder = scripts_folder(self._config)
        if self._loaded is not None and self._loaded[0] == folder:
            return self._loaded[1]
        made: dict[str, Any] = {}
        self._loaded, self._broken = (folder, made), ()
        if folder is not None:
            from gnomon.procedures.user_scripts import load_scripts

            loaded, broken = load_scripts(folder)
            self._broken = tuple(broken)
            for name, runnable in loaded.items():
                holder = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False, add_completion=False)
                holder.command(name, help=f"{runnable.title}.")(self.command_of(runnable))
                made[name] = adapted(get_command(holder))
        return made


def _config_of(arguments: list[str]) -> Path | None:
    """Find the configuration that the arguments of a command name."""
    for number, argument in enumerate(arguments):
        if argument.startswith("--config="):
            return Path(argument.partition("=")[2])
        if argument == "--config" and number + 1 < len(arguments):
            return Path(arguments[number + 1])
    return None


def scripts_folder(config: Path | None) -> Path | None:
    """Find the folder of user scripts of a configuration, or of the one that the environment names."""
    from gnomon.cli.options import configure

    if config is None and os.environ.get("GNOMON_CONFIG"):
        config = Path(os.environ["GNOMON_CONFIG"])
    return configure(config).services.scripts


def with_fields(run: Callable[..., None], runnable: "Runnable") -> Callable[..., None]:
    """Give a command the options of a script in the place of its parameter `options`."""
    fields = {name: field for name, field in runnable.options.model_fields.items() if name != "note"}

    def command(**given: Any) -> None:
        chosen = {name: _value(name, fields[name], given.pop(name)) for name in fields if name in given}
        run(options={name: value for name, value in chosen.items() if value is not None}, **given)

    own = inspect.signature(run).parameters
    parameters = [*_options(fields), *(each for name, each in own.items() if name != "options")]
    keyword = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    command.__signature__ = inspect.Signature(keyword)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in keyword}
    return command


def _options(fields: "dict[str, FieldInfo]") -> Iterator[inspect.Parameter]:
    """Make an argument of each text that is required, and an option of each other field."""
    for name, field in fields.items():
        kind, many = _kind(field.annotation)
        help_text = field.description or ""
        text = f"{help_text[:1].upper()}{help_text[1:]}."
        default: Any = inspect.Parameter.empty
        if field.is_required() and kind is str and not many:
            told: Any = typer.Argument(help=text, metavar=name.upper())
        else:
            flag = f"--{name.replace('_', '-')}"
            told = typer.Option(flag, help=text)
            if not field.is_required():
                given = field.get_default(call_default_factory=True)
                default = given if isinstance(given, PLAIN) and not many else None
        annotation = list[kind] if many else kind  # type: ignore[valid-type]
        optional = annotation if default is inspect.Parameter.empty else annotation | None
        yield inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[optional, told]
        )


def _kind(annotation: Any) -> tuple[Any, bool]:
    """Return the type of an option, and True for several; what the command line does not have is a text."""
    origin, inner = get_origin(annotation), [each for each in get_args(annotation) if each is not type(None)]
    if origin in (list, tuple) and inner and inner[0] in PLAIN and set(inner[1:]) <= {...}:
        return inner[0], True
    if origin is not None and origin is not Literal and len(inner) == 1:  # X | None
        return _kind(inner[0])
    return (annotation if annotation in PLAIN else str), False


def _value(name: str, field: "FieldInfo", given: Any) -> Any:
    """Return a value as the script's options take it. Raises typer.BadParameter for a text that is not JSON."""
    kind, many = _kind(field.annotation)
    if many:
        return tuple(given) if given else None
    plain = kind is not str or given is None or _is_text(field.annotation)
    if plain:
        return given
    import json

    try:
        return json.loads(given)
    except ValueError as error:
        raise typer.BadParameter(f"this option is given as JSON: {error}", param_hint=f"--{name}") from error


def _is_text(annotation: Any) -> bool:
    """Tell whether an option takes a text as it is: a text, or one of several texts."""
    if annotation is str:
        return True
    inner = [each for each in get_args(annotation) if each is not type(None)]
    if get_origin(annotation) is Literal:
        return all(isinstance(each, str) for each in inner)
    return len(inner) == 1 and _is_text(inner[0])
