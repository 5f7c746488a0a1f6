"""Passwords and tokens: from a file for its owner alone, or from the environment, and never in a message."""

from pathlib import Path

import pytest

from gnomon.services.forward.secret_texts import SecretError, read_secret


def secret(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "secret"
    file.write_text(text)
    file.chmod(mode)
    return file


def test_a_file_takes_precedence_over_the_environment(tmp_path: Path) -> None:
    assert read_secret(secret(tmp_path, "from a file\n"), "V", {"V": "from the environment"}) == "from a file"
    assert read_secret(None, "V", {"V": "from the environment"}) == "from the environment"
    assert read_secret(None, "V", {}) is None


@pytest.mark.parametrize(
    ("text", "mode"), [("hunter2", 0o644), ("hunter2", 0o640), ("", 0o600), ("hunter2\nmore", 0o600)]
)
def test_secrets_that_cannot_be_used_are_refused_without_showing_them(tmp_path: Path, text: str, mode: int) -> None:
    with pytest.raises(SecretError) as caught:
        read_secret(secret(tmp_path, text, mode), "V", {})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SecretError):
        read_secret(tmp_path / "nothing", "V", {})
