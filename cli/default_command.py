"""A group of commands in which a name that is none of them goes to one of them."""

from typing import Any

from typer.core import TyperGroup


class ShowByDefault(TyperGroup):
    """A group for which `gnomon GROUP NAME` is short for `gnomon GROUP show NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command's name in front of arguments that begin with none."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["show", *args]
        return super().parse_args(ctx, args)
