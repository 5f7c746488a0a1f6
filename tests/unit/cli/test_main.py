"""The command line as a whole: exit codes, and errors as text without a traceback."""

import io
import os
import subprocess
import sys

import pytest

import gnomon as package
from gnomon import cli
from gnomon.cli import connection
from gnomon.lattice import GnomonError
from unit.cli.commands import gnomon


@pytest.fixture(autouse=True)
def the_process_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no later test's connection left open because `main` ran here."""
    monkeypatch.setattr(connection._Ending, "with_process", False)


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


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), PermissionError(13, "denied", "/x")])
def test_an_error_of_the_system_is_a_line_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError
) -> None:
    monkeypatch.setattr(cli, "app", raising(error))
    assert run(monkeypatch) == 1
    assert capsys.readouterr().err == f"gnomon: {error}\n"


def test_characters_that_the_terminal_lacks_are_written_as_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(cli, "app", lambda: print("gr\u00fcn"))
    cli.main()
    sys.stdout.flush()
    assert written.getvalue() == b"gr\\xfcn\n"


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_output_that_cannot_be_written_ends_without_a_traceback(redirection: str) -> None:
    if "full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    code = (
        "from gnomon.cli import connection\nconnection._Ending.left_open = True\n"
        "import sys\nif sys.stdout is not None: sys.stdout.write('value')\nconnection.end_process(0)"
    )
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, code],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONUNBUFFERED": ""},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert (done.returncode, "cannot write the output" in done.stderr) == (
        ("full" in redirection),
        "full" in redirection,
    )
