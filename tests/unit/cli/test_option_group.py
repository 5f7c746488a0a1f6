"""Groups of options: a command gets them in the place of one parameter, and what is made of them."""

import inspect
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.testing import CliRunner

from gnomon.cli.option_group import with_options

Height = Annotated[float, typer.Option("--height", help="Height [mm].")]


@dataclass(frozen=True)
class Size:
    """A group."""

    width: int = 3
    height: Height = 2.5


def made_area(depth: int = 1) -> int:
    return depth * 10


def lone(got: list[Any], *arguments: str) -> int:
    app = typer.Typer()

    @app.command()
    @with_options("size", Size)
    @with_options("area", made_area)
    def show(name: str, size: Size, area: int, *, dark: bool = False) -> None:
        got.append((name, size, area, dark))

    return CliRunner().invoke(app, arguments).exit_code


def test_a_command_gets_what_is_made_of_its_options() -> None:
    got: list[Any] = []
    assert lone(got, "box", "--height", "7", "--dark") == 0
    assert lone(got, "box", "--width", "4") == 0
    assert got == [("box", Size(3, 7.0), 10, True), ("box", Size(4, 2.5), 10, False)]


def test_options_stand_where_the_parameter_stood_and_some_can_be_left_out() -> None:
    @with_options("size", Size, without=("width",))
    def show(first: int, size: Size, last: int = 0) -> None:
        """Show."""
        got.append(size)

    got: list[Size] = []
    signature = inspect.signature(show)
    assert list(signature.parameters) == ["first", "height", "last"]
    assert signature.parameters["height"].annotation == Height
    assert show.__doc__ == "Show."
    show(first=1, height=9.0, last=2)
    assert got == [Size(3, 9.0)]
