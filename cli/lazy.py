"""Commands that are imported when they are used: the list of all commands costs no import of what they need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, get_args

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from gnomon.cli.number_texts import read_strictly

#: What stands for the value of an option in help texts, by type; a switch takes no value.
METAVARS: dict[object, str] = {bool: "", str: "TEXT", Path: "FILE", int: "N", float: "NUMBER"}


@dataclass(frozen=True)
class Entry:
    """A command in the list of all commands: its place in the help, one line about it, and where it is defined.

    `target` is "module:name", relative to `gnomon.cli`; the name is that of a function or of a `typer.Typer`.
    """

    name: str
    panel: str
    help: str
    target: str


class LazyGroup(TyperGroup):
    """A group whose commands are placeholders until one of them is resolved."""

    entries: Sequence[Entry] = ()
    #: Commands below another one that are looked for here, and that one's name.
    elsewhere: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for entry in self.entries:
            self.add_command(TyperCommand(entry.name, help=entry.help, rich_help_panel=entry.panel))
        self._targets = {entry.name: entry for entry in self.entries}

    def get_params(self, ctx: Any) -> list[Any]:
        """List the options, those of shell completion included."""
        return [_without_type(parameter) for parameter in super().get_params(ctx)]

    def list_commands(self, ctx: Any) -> list[str]:
        """List the names in the order of the help."""
        return [entry.name for entry in self.entries]

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the arguments name, and import it."""
        word = args[0] if args else ""
        if word not in self.commands and (above := self.elsewhere.get(word)):
            ctx.fail(f"No such command {word!r}. It is: {ctx.command_path} {above} {word}")
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and name in self._targets:
            command = self.commands[name] = load(self._targets.pop(name))
        return name, command, rest


@cache
def load(entry: Entry) -> Any:
    """Import a command; the result is what typer makes of it, the same each time, since commands keep no state."""
    module, _, attribute = entry.target.partition(":")
    found: typer.Typer | Callable[..., None] = getattr(import_module(f"gnomon.cli.{module}"), attribute)
    holder = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=entry.name)
    else:
        holder.command(entry.name)(found)
        holder.callback()(lambda: None)
    command = get_group(holder).commands[entry.name]
    return adapted(command)


def adapted(command: Any) -> Any:
    """Take names of Python types out of the help of a command and of those below it; read numbers in one spelling."""
    for parameter in command.get_params(typer.Context(command)):
        _without_type(parameter)
        read_strictly(parameter)
    for below in getattr(command, "commands", {}).values():
        adapted(below)
    return command


def _without_type(parameter: Any) -> Any:
    if parameter.param_type_name == "argument":
        parameter.display_type_rich = lambda ctx: None  # its name stands beside it
    elif parameter.metavar is None and not parameter.type_descriptor.is_choice:
        annotation = parameter.type_descriptor.annotation
        words = [METAVARS.get(kind) for kind in get_args(annotation) or (annotation,)]
        parameter.metavar = None if None in words else " ".join(map(str, words))
    return parameter
