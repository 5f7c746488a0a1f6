"""`gnomon replay NAME` as a user calls it: dry unless armed with a token, and measured after each write."""

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from gnomon.cli import gate_parts, gated_replay, range_replay, replay
from gnomon.clients import server_choice
from gnomon.clients.server_choice import Target
from gnomon.procedures.one_at_a_time import BusyError
from gnomon.recorder import FrozenError, ReplayError
from gnomon.recorder.bounds import optics_digest
from gnomon.recorder.gating import TokenDesk, arm, read_limits, verify_audit
from gnomon.recorder.recorder_errors import AuthorityError
from gnomon.recorder.recordings import RecordingContent, RecordingFile, RecordingFolder, ReviewKey, seal
from gnomon.recorder.replaying import ReplayState, StateFile, Status, load_state
from unit.cli.commands import gnomon
from unit.recorder.recordings.samples import make_recording
from unit.recorder.replaying.limits_for_mls import LIMITS
from unit.recorder.replaying.simulated_machine import LinearPredictor, SimulatedMachine, mls, steerers


class RealClock:
    """The computer's clock, which the simulated machine may not set."""

    @property
    def now(self) -> float:
        return time.monotonic()

    @now.setter
    def now(self, value: float) -> None:
        raise AssertionError

    def monotonic(self) -> float:
        return time.monotonic()

    def time_ns(self) -> int:
        return time.time_ns()


class Place:
    """Folders, a recording of two steerers, and a machine."""

    def __init__(self, folder: Path) -> None:
        ring, _ = mls()
        self.folder = folder
        self.machine = SimulatedMachine(RealClock())  # type: ignore[arg-type]
        first, second = steerers()[:2]
        self.pvs = [first.name, second.name]
        self.recording = make_recording(ring, (first.device, "current", 0.2), (second.device, "current", -0.1),
                                        start=ring.nominal)  # fmt: skip
        fields = self.recording.model_dump(by_alias=True, exclude={"id"})
        fields["start"] |= {"orbit": _zero_orbit(), "tunes": (3.178, 2.232)}
        self.recording = seal(RecordingContent.model_validate(fields))
        self.config = folder / "gnomon.yaml"
        self.config.write_text(
            f"machine: mls\nrecorder: {{journal: {folder}/mls.journal}}\ngate: {{limits: limits.yaml}}\n"
        )
        (folder / "limits.yaml").write_text(LIMITS)
        self.recordings = RecordingFolder(folder / "recordings")
        self.recordings.add(RecordingFile(recording=self.recording))

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put the machine and a predictor that knows it where the command looks for them."""
        ring, _ = mls()
        monkeypatch.setattr(replay, "make_machine", lambda *_, **__: self.machine)
        predictor = LinearPredictor(document_digest=ring.digest, optics_digest=optics_digest(ring.nominal),
                                    made_ns=time.time_ns() - 10**9)  # fmt: skip
        monkeypatch.setattr(gate_parts, "predictor_of", lambda *_: predictor)

    def approve(self, reviewer: str = "bob@office") -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = ReviewKey(Ed25519PrivateKey.generate())
        self.recordings.approve(key.approve(self.recording, reviewer, time.time_ns(), self.limits_digest))

    @property
    def limits_digest(self) -> str:
        return read_limits(self.folder / "limits.yaml", "M:").digest

    def token(self) -> str:
        desk = TokenDesk(gate_parts.desk_of(gate_parts.Chosen("M:", self.config)).folder)
        return arm(desk, self.recordings.find("bump"), "M:", self.limits_digest)

    def __call__(self, *words: object) -> Any:
        return gnomon("replay", *words, "--config", self.config, "--timeout", "1", "--settle", "1")

    def armed(self) -> Any:
        return self("bump", "--prefix", "M:", "--arm", "--token", self.token())

    @property
    def state_paths(self) -> list[Path]:
        return [p for p in (self.folder / "replays").glob("*.json") if not p.name.endswith(".report.json")]


def _zero_orbit() -> list[dict[str, object]]:
    return [{"monitor": bpm.name, "x": 0.0, "y": 0.0} for bpm in mls()[0].bpms]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    made = Place(tmp_path)
    made.patch(monkeypatch)
    return made


def test_a_dry_run_shows_each_write_with_its_band_and_touches_nothing(place: Place) -> None:
    result = place("bump", "--prefix", "M:")
    rows = [line.split() for line in result.stdout.splitlines() if re.match(r" *[12]/2 ", line)]
    assert [row[1:4] for row in rows] == [
        [place.pvs[0], "0", "0.1"], [place.pvs[0], "0.1", "0.2"], [place.pvs[1], "0", "-0.1"]
    ]  # fmt: skip
    assert {row[-1] for row in rows} == {"accepted"}
    assert "from the machine as it is" in result.stdout
    assert "not checked, as the limits file says: " in result.stdout
    assert "the gate is not machine protection" in result.stdout
    assert not place.machine.puts


def test_the_last_line_of_a_dry_run_names_the_next_command(place: Place) -> None:
    def last() -> str:
        return place("bump", "--prefix", "M:").stdout.splitlines()[-1]

    assert last() == "next: somebody else approves it: gnomon review approve bump"
    place.approve()
    assert last() == "next: gnomon gate arm bump --prefix M:"


def test_a_dry_run_as_json_has_bounds(place: Place) -> None:
    found = json.loads(place("bump", "--prefix", "M:", "--json").stdout)
    assert found["refusals"] == []
    x = found["writes"][0]["observables"]["x"]
    assert len(x["lower"]) == len(mls()[0].bpms)
    assert all(low < high for low, high in zip(x["lower"], x["upper"], strict=True))


def test_without_the_machine_a_dry_run_begins_at_the_recorded_start(place: Place) -> None:
    place.machine.specs.clear()
    assert "from the recorded start, for the machine does not answer" in place("bump", "--prefix", "M:").stdout


def test_a_dry_run_tells_all_reasons_of_a_refusal(place: Place) -> None:
    (place.folder / "limits.yaml").write_text(LIMITS.replace("x_mm: 3.0", "x_mm: 0.01"))
    with pytest.raises(ReplayError, match=r"refused:\n  .*orbit_x"):
        place("bump", "--prefix", "M:")


@pytest.mark.parametrize("missing", ["limits", "calibration"])
def test_without_limits_or_calibration_nothing_is_written_and_the_missing_one_is_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    place.approve()
    if missing == "limits":
        place.config.write_text(place.config.read_text().replace("gate: {limits: limits.yaml}", ""))
        text = "there is no limits file: give --limits FILE, or name one as gate.limits"
    else:
        monkeypatch.setattr(gate_parts, "predictor_of", lambda *_: None)
        text = "there is no calibration of this machine in .*: make one with gnomon calibrate"
    for words in ((), ("--arm", "--token", "t")):
        with pytest.raises(ReplayError, match=text):
            place("bump", "--prefix", "M:", *words)
    assert not place.machine.puts


def test_an_armed_replay_writes_measures_and_leaves_report_state_and_audit(place: Place) -> None:
    place.approve()
    result = place.armed()
    assert [place.machine.values[pv] for pv in place.pvs] == [0.2, -0.1]
    assert "done: 2 steps written, verified, and as predicted" in result.stdout
    (path,) = place.state_paths
    assert load_state(path).status is Status.DONE
    assert load_state(path).reviewer == "bob@office"
    report = json.loads(path.with_suffix(".report.json").read_text())
    assert [write["verdict"] for write in report["writes"]] == ["as predicted"] * len(report["writes"])
    assert path.with_suffix(".report.html").exists()
    log = place.folder / "replays" / "audit.jsonl"
    assert verify_audit(log).intact
    events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert events[:2] == ["gate", "begin"]
    assert events[-1] == "end"


def test_limits_that_were_edited_since_the_approval_or_the_token_stop_an_armed_replay(place: Place) -> None:
    place.approve()
    token = place.token()
    limits = place.folder / "limits.yaml"
    limits.write_text(limits.read_text().replace("x_mm: 3.0", "x_mm: 3.5"))
    with pytest.raises(AuthorityError, match=r"this one is .*: it was edited since, .*gnomon review approve bump"):
        place("bump", "--prefix", "M:", "--arm", "--token", token)
    place.approve("carol@office")  # with the new limits
    with pytest.raises(AuthorityError, match="the token is for the limits file"):
        place("bump", "--prefix", "M:", "--arm", "--token", token)
    assert not place.machine.puts
    place.armed()


def test_a_token_is_for_one_replay(place: Place) -> None:
    place.approve()
    token = place.token()
    words = ("bump", "--prefix", "M:", "--arm", "--token", token)
    place(*words)
    with pytest.raises(AuthorityError, match="used already"):
        place(*words)


def test_nothing_is_written_without_an_approval_by_another_person(place: Place) -> None:
    with pytest.raises(AuthorityError, match="nobody has approved it"):
        place("bump", "--prefix", "M:", "--arm", "--token", "t")
    place.approve("alice@console1")
    with pytest.raises(AuthorityError):
        place("bump", "--prefix", "M:", "--arm", "--token", "t")
    assert not place.machine.puts


def test_a_replay_that_is_stopped_before_its_first_write_has_rolled_nothing_back(place: Place) -> None:
    place.approve()
    token = place.token()
    place.machine.held[next(iter(place.machine.monitor))] = 5.0  # mm, beside the reference orbit
    with pytest.raises(ReplayError, match=r"stopped before anything was written: .*--reference-from") as told:
        place("bump", "--prefix", "M:", "--arm", "--token", token)
    assert "back" not in str(told.value).partition("report:")[0]
    assert not place.machine.puts
    (path,) = place.state_paths
    assert load_state(path).status is Status.STOPPED


def test_a_magnet_of_the_wrong_polarity_is_found_after_one_write_and_all_is_put_back(place: Place) -> None:
    place.approve()
    place.machine.polarity[place.pvs[0]] = -1.0
    with pytest.raises(ReplayError, match=f"stopped and rolled back: (?s:.*)put back: {place.pvs[0]}"):
        place.armed()
    assert [value for _, value in place.machine.puts] == [0.1, 0.0]
    (path,) = place.state_paths
    assert load_state(path).status is Status.ROLLED_BACK


def test_a_beam_that_does_not_come_back_calls_the_operator_with_a_status_of_its_own(place: Place) -> None:
    place.approve()

    def misalign(pv: str, value: float) -> None:
        if pv == place.pvs[1]:
            place.machine.polarity[place.pvs[0]] = 1.5

    place.machine.on_put = misalign
    with pytest.raises(
        FrozenError, match=f"CALL THE OPERATOR(?s:.*)NOT put back:(?s:.*){place.pvs[0]}: should be 0 A"
    ) as raised:
        place.armed()
    assert raised.value.exit_code == 3
    (path,) = place.state_paths
    assert load_state(path).status is Status.FROZEN
    with pytest.raises(ReplayError, match=f"first continue it .*--rollback {path.stem}"):
        place.armed()
    place.machine.polarity.clear()
    place.machine.on_put = lambda pv, value: None
    place("--rollback", path.stem)
    assert place.machine.values == place.machine.start


class KilledError(BaseException):
    """The process is gone: nothing of it acts any more."""


def killed(place: Place, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Kill an armed replay at its second write; return the file of its state."""
    place.approve()

    def die(pv: str, value: float) -> None:
        if len(place.machine.puts) == 2:
            place.machine.values[pv] = value
            monkeypatch.setattr(StateFile, "save", dead)
            raise KilledError

    def dead(*_: object) -> None:
        raise KilledError

    place.machine.on_put = die
    with pytest.raises(KilledError):
        place.armed()
    monkeypatch.undo()
    place.patch(monkeypatch)
    place.machine.on_put = lambda pv, value: None
    (path,) = place.state_paths
    return path


def test_a_state_file_alone_gives_no_right_to_write(place: Place) -> None:
    """Made up by somebody who never had a token, for a recording that nobody has approved."""
    state = ReplayState(
        id="20261127-000000-abcd", recording=place.recording.id, name="bump", machine="mls", prefix="M:",
        author="ann@a", reviewer="bob@b", token_id="0" * 32, granted_ns=time.time_ns(), granted_s=time.monotonic(),
        expires_ns=time.time_ns() + 10**12, calibration_id="c" * 64,
        limits_digest=place.limits_digest,
    )  # fmt: skip
    file = StateFile(place.folder / "replays" / f"{state.id}.json")
    file.save(state)
    file.close()
    with pytest.raises(AuthorityError, match=r"nothing was written: recording 'bump': nobody has approved it"):
        place("--resume", state.id)
    place.approve()
    place.token()  # one was made here, and never taken
    with pytest.raises(AuthorityError, match=r"was never taken here.*--rollback"):
        place("--resume", state.id)
    with pytest.raises(ReplayError, match=r"the audit log cannot be read: .*its state is not trusted"):
        place("--rollback", state.id)
    assert not place.machine.puts


@pytest.mark.parametrize("option", ["--resume", "--rollback"])
def test_a_state_file_that_was_edited_writes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    path = killed(place, monkeypatch)
    puts = list(place.machine.puts)
    state = load_state(path)
    parts = tuple(part.model_copy(update={"before": 0.05, "shown": 0.05}) for part in state.written)
    file = StateFile(path)
    file.save(state.model_copy(update={"written": parts}))  # with the digest that belongs to it
    file.close()
    before = rf"values before its writes, by \S*audit.jsonl:\n  {place.pvs[0]}: 0"
    with pytest.raises(ReplayError, match=rf"not trusted, and nothing was written:(?s:.*)0.05 A, but(?s:.*){before}"):
        place(option, path.stem)
    assert place.machine.puts == puts


def test_two_replays_do_not_begin_at_one_prefix(place: Place) -> None:
    place.approve()
    with replay.alone_at("M:", "bba"), pytest.raises(BusyError, match=r"bba .* runs there"):
        place.armed()
    assert not place.machine.puts
    place.armed()


def test_limits_that_were_edited_since_stop_a_resumed_replay_but_not_its_way_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, puts = killed(place, monkeypatch), len(place.machine.puts)
    limits = place.folder / "limits.yaml"
    limits.write_text(limits.read_text() + "\n# edited\n")
    with pytest.raises(ReplayError, match=r"the limits file is .*, it was .* when it began; put back"):
        place("--resume", path.stem)
    assert len(place.machine.puts) == puts
    place("--rollback", path.stem)
    assert place.machine.values == place.machine.start


def test_the_audit_says_with_which_limits_calibration_and_token_it_was_written(place: Place) -> None:
    place.approve()
    place.armed()
    lines = [json.loads(line) for line in (place.folder / "replays" / "audit.jsonl").read_text().splitlines()]
    (gate,) = [line for line in lines if line["event"] == "gate"]
    assert lines.index(gate) < min(n for n, line in enumerate(lines) if line["event"] == "write")
    assert gate["limits"] == place.limits_digest
    assert (gate["calibration"], gate["recording"], gate["reviewer"]) == ("c" * 64, place.recording.id, "bob@office")
    assert len(gate["token"]) == 32


@pytest.mark.parametrize("option", ["--resume", "--rollback"])
def test_a_killed_replay_is_continued_or_put_back(place: Place, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    path = killed(place, monkeypatch)
    assert load_state(path).status.open
    place(option, path.stem[:13])
    wanted = [0.2, -0.1] if option == "--resume" else [0.0, 0.0]
    assert [place.machine.values[pv] for pv in place.pvs] == wanted


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--from", "1", "--to", "2", "--prefix", "", "--arm"], "only a recording that was reviewed"),
        (["bump"], "--prefix"),
        (["bump", "--prefix", "M:", "--arm"], "one-time token"),
        (["bump", "--from", "1", "--to", "2", "--prefix", ""], "give one of"),
        (["--prefix", ""], "give one of"),
        (["--resume", "x", "--arm"], "leave out --arm"),
        (["bump", "--prefix", "M:", "--arm", "--token", "t", "--json"], "report as JSON"),
        (["--from", "1", "--prefix", ""], "both ends"),
    ],
)
def test_options_that_do_not_go_together_are_explained(place: Place, words: list[str], text: str) -> None:
    result = place(*words)
    assert result.exit_code == 2
    assert text in " ".join(result.output.replace("│", " ").split())
    assert not place.machine.puts


def test_the_text_for_a_range_names_each_command_that_is_needed() -> None:
    assert all(word in range_replay.TO_ARM for word in ("gnomon record", "gnomon review", "gnomon replay NAME --arm"))
    assert gated_replay.NOT_PROTECTION == "the gate is not machine protection"


def test_an_unknown_replay_is_told(place: Place) -> None:
    with pytest.raises(ReplayError, match="there is no replay 'nothing'"):
        place("--resume", "nothing")


def test_the_machine_is_the_server_that_runs_here_with_the_prefix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def choose(**wanted: object) -> Target:
        asked.append(wanted)
        return Target("", {"EPICS_CA_SERVER_PORT": "25999"})

    monkeypatch.setattr(server_choice, "choose_server", choose)
    monkeypatch.setenv("EPICS_CA_SERVER_PORT", "1")  # is restored, too
    replay.make_machine("", "77")
    assert asked == [{"prefix": "", "server": "77"}]
    assert os.environ["EPICS_CA_SERVER_PORT"] == "25999"
    assert capsys.readouterr().err.startswith("machine: prefix ''")
