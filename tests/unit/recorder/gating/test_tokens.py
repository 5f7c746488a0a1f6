"""Tokens: forged, expired, used ones and those of something else are refused, whatever the clock does."""

import base64
import hmac
import json
from dataclasses import replace
from pathlib import Path

import pytest

from gnomon.recorder.gating import Claims, TimeOfToken, TokenDesk, make_token, read_token, time_of_token
from gnomon.recorder.recorder_errors import AuthorityError
from unit.recorder.gating.situations import NOW_NS, NOW_S, accepted_case

NOW = TimeOfToken(NOW_NS, NOW_S, "computer/boot")
APPROVED = accepted_case().authority.approved


class Clock:
    """Clocks of a computer, to be set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> TimeOfToken:
        return self.now

    def pass_by(self, wall_s: float, running_s: float | None = None) -> None:
        running_s = wall_s if running_s is None else running_s
        self.now = replace(
            self.now, wall_ns=self.now.wall_ns + int(1e9 * wall_s), monotonic_s=self.now.monotonic_s + running_s
        )


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(tmp_path: Path, clock: Clock) -> TokenDesk:
    return TokenDesk(tmp_path / "gate", clock)


def issue(desk: TokenDesk, **changed: str) -> str:
    given = {"recording": "recording", "machine": "toy", "prefix": "P:", "author": "ann@a", "reviewer": "bob@a"}
    given["limits"] = ""
    return desk.issue(**(given | changed))


def test_a_token_gives_an_authority_with_which_the_gate_accepts(desk: TokenDesk, clock: Clock) -> None:
    token = issue(desk)
    clock.pass_by(60.0)
    authority = desk.redeem(token, APPROVED, "P:")
    assert authority.armed
    assert (authority.author, authority.reviewer) == ("ann@a", "bob@a")
    assert replace(accepted_case(), authority=authority).decide().accepted


def test_a_token_is_used_once_and_that_outlives_the_program(desk: TokenDesk, clock: Clock) -> None:
    token = issue(desk)
    desk.redeem(token, APPROVED, "P:")
    for again in (desk, TokenDesk(desk.folder, clock)):
        with pytest.raises(AuthorityError, match="used already"):
            again.redeem(token, APPROVED, "P:")
    desk.redeem(issue(desk), APPROVED, "P:")


def test_a_token_with_any_changed_character_is_refused(desk: TokenDesk) -> None:
    token = issue(desk)
    for position, character in enumerate(token):
        changed = token[:position] + ("A" if character != "A" else "B") + token[position + 1 :]
        with pytest.raises(AuthorityError, match="forged"):
            desk.redeem(changed, APPROVED, "P:")


def test_a_token_made_with_another_key_or_none_is_refused(desk: TokenDesk, tmp_path: Path, clock: Clock) -> None:
    other = TokenDesk(tmp_path / "other", clock)
    token = issue(other)
    with pytest.raises(AuthorityError, match="no token was ever made here"):
        desk.redeem(token, APPROVED, "P:")
    issue(desk)
    with pytest.raises(AuthorityError, match="forged"):
        desk.redeem(token, APPROVED, "P:")
    content = token.split(".")[1]
    ends = ("", content, f"{content}.", "é.é", "." + "0" * 64, f"{content}\n.{token[-64:]}")
    for forged in ("", "x", *(f"gnomon-arm-1.{end}" for end in ends)):
        with pytest.raises(AuthorityError, match="forged"):
            desk.redeem(forged, APPROVED, "P:")


def test_a_signed_content_that_lacks_something_is_refused(desk: TokenDesk) -> None:
    """The key alone makes no token: every part must be there, and nothing else."""
    issue(desk)
    key = (desk.folder / "arming.key").read_bytes()
    claims = Claims("id", "recording", "toy", "P:", "ann", "bob", "", NOW_NS, NOW_S, "computer/boot")
    good = make_token(claims, key)
    content = json.loads(base64.urlsafe_b64decode(good.split(".")[1]))
    for name in content:
        with pytest.raises(AuthorityError, match="forged"):
            desk.redeem(signed({each: value for each, value in content.items() if each != name}, key), APPROVED, "P:")
        with pytest.raises(AuthorityError, match="forged"):
            desk.redeem(signed(content | {name: ["x"]}, key), APPROVED, "P:")
    others: list[object] = [content | {"more": 1}, content | {"monotonic_s": float("nan")}, [], 1, None]
    for changed in others:
        with pytest.raises(AuthorityError, match="forged"):
            desk.redeem(signed(changed, key), APPROVED, "P:")
    assert desk.redeem(signed(content, key), APPROVED, "P:").token_id == "id"


def signed(content: object, key: bytes) -> str:
    """Sign any content as a token is."""
    data = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    signature = hmac.new(key, b"gnomon-arm-1." + data, "sha256").hexdigest()
    return f"gnomon-arm-1.{base64.urlsafe_b64encode(data).decode()}.{signature}"


@pytest.mark.parametrize(
    ("wall_s", "running_s", "words"),
    [
        (1800.0, 1800.0, "valid for 30 min"),
        (1799.0, 1801.0, "valid for 30 min"),
        (60.0, 70.0, "the clock was set"),
        (-60.0, 60.0, "the clock was set"),
        (60.0, 5000.0, "the clock was set"),
        (5000.0, 60.0, "the clock was set"),
        (-1.0, -1.0, "the clock was set"),
    ],
)
def test_a_token_that_is_too_old_by_either_clock_is_refused(
    desk: TokenDesk, clock: Clock, wall_s: float, running_s: float, words: str
) -> None:
    token = issue(desk)
    clock.pass_by(wall_s, running_s)
    with pytest.raises(AuthorityError, match=words):
        desk.redeem(token, APPROVED, "P:")


def test_a_token_does_not_outlive_a_restart_of_the_computer(desk: TokenDesk, clock: Clock) -> None:
    token = issue(desk)
    clock.now = replace(clock.now, boot_id="computer/next")
    with pytest.raises(AuthorityError, match="restarted"):
        desk.redeem(token, APPROVED, "P:")


@pytest.mark.parametrize(
    "changed", [{"recording": "other"}, {"machine": "other"}, {"prefix": "X:"}], ids=lambda each: next(iter(each))
)
def test_a_token_of_something_else_is_refused_and_not_used_up(desk: TokenDesk, changed: dict[str, str]) -> None:
    token = issue(desk, **changed)
    with pytest.raises(AuthorityError, match=f"the token is for the {next(iter(changed))}"):
        desk.redeem(token, APPROVED, "P:")
    assert not (desk.folder / "used").exists()


@pytest.mark.parametrize("reviewer", ["ann@a", "ann@b", "ann", "", "@a"])
def test_nobody_reviews_their_own_recording(desk: TokenDesk, reviewer: str) -> None:
    with pytest.raises(AuthorityError, match="someone else"):
        issue(desk, reviewer=reviewer)


def test_a_key_that_others_can_read_is_not_used(desk: TokenDesk) -> None:
    token = issue(desk)
    (desk.folder / "arming.key").chmod(0o644)
    with pytest.raises(AuthorityError, match="other users can read"):
        desk.redeem(token, APPROVED, "P:")


def test_a_use_that_cannot_be_noted_is_refused(desk: TokenDesk) -> None:
    token = issue(desk)
    (desk.folder / "used").write_text("not a folder")
    with pytest.raises(AuthorityError, match="cannot be noted"):
        desk.redeem(token, APPROVED, "P:")


def test_both_clocks_go_on() -> None:
    first, second = time_of_token(), time_of_token()
    assert first.boot_id == second.boot_id
    assert second.monotonic_s >= first.monotonic_s


def test_a_folder_in_which_others_can_write_is_not_used(desk: TokenDesk) -> None:
    """Another user would make a key of their own, or take the note of a use away."""
    token = issue(desk)
    desk.folder.chmod(0o770)
    with pytest.raises(AuthorityError, match="other users can write"):
        desk.redeem(token, APPROVED, "P:")


def test_the_right_to_write_is_taken_over_by_the_note_of_the_use_alone(desk: TokenDesk, clock: Clock) -> None:
    token = issue(desk)
    id = read_token(token, (desk.folder / "arming.key").read_bytes(), recording="recording", machine="toy", prefix="P:",
                    now=clock.now).id  # fmt: skip
    with pytest.raises(AuthorityError, match="never taken"):
        desk.take_over(id, APPROVED, "P:")
    taken = desk.redeem(token, APPROVED, "P:")
    clock.pass_by(60.0)
    again = desk.take_over(id, APPROVED, "P:")
    assert (again.token_id, again.expires_ns, again.granted_s) == (taken.token_id, taken.expires_ns, taken.granted_s)
    with pytest.raises(AuthorityError, match="the token is for the prefix"):
        desk.take_over(id, APPROVED, "X:")
    for forged in ("", "0" * 32, f"../used/{id}", "../arming.key"):
        with pytest.raises(AuthorityError, match="never taken"):
            desk.take_over(forged, APPROVED, "P:")
    other = "f" * 32
    (desk.folder / "used" / other).write_text(token)
    with pytest.raises(AuthorityError, match="another token"):
        desk.take_over(other, APPROVED, "P:")
    (desk.folder / "used" / id).write_text(token[:-1])
    with pytest.raises(AuthorityError, match="forged"):
        desk.take_over(id, APPROVED, "P:")
    (desk.folder / "used" / id).write_text(token)
    clock.pass_by(1800.0)
    with pytest.raises(AuthorityError, match="valid for 30 min"):
        desk.take_over(id, APPROVED, "P:")
