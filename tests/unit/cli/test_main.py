"""The command line as a whole: exit codes, and errors as text without a traceback."""

import sys

import pytest

import gnomon as package
from gnomon import cli
from gnomon.lattice import GnomonError
from unit.cli.commands import gnomon


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["gnomon", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def raising(error: BaseException) -> object:
    def app() -> None:
        raise error

    return app


def test_the_version_is_that_of_the_package() -> None:
    result = gnomon("--version")
    assert (result.exit_code, result.output) == (0, f"gnomon {package.__version__}\n")


@pytest.mark.parametrize("arguments", [("nonsense",), ("log", "--nonsense"), ("snapshot", "show")])
def test_wrong_use_exits_with_2(monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
    assert run(monkeypatch, *arguments) == 2


def test_an_error_is_a_line_on_standard_error_and_exits_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "app", raising(GnomonError("no [bold]journal[/] \x1b[31mhere")))
    assert run(monkeypatch) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error == "gnomon: no [bold]journal[/] \\x1b[31mhere\n"


def test_a_long_error_keeps_its_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ["word " * 60 + "end", "second"]
    monkeypatch.setattr(cli, "app", raising(GnomonError("\n".join(lines))))
    assert run(monkeypatch) == 1
    assert capsys.readouterr().err == f"gnomon: {lines[0]}\n{lines[1]}\n"


def test_an_interrupted_command_exits_as_the_shell_expects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "app", raising(KeyboardInterrupt()))
    assert run(monkeypatch) == 130


def test_an_error_of_gnomon_s_own_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "app", raising(ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        cli.main()
