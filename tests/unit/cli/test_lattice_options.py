"""Choice of the version of the lattice for a command: by options, and by a text."""

from pathlib import Path

import pytest
import typer

from gnomon.cli import lattice_options, served_journal
from gnomon.cli.lattice_options import ChosenJournal, LatticeChoice, find_lattice, named_pair
from gnomon.cli.served_journal import Asked
from gnomon.clients.errors import NoServerError
from gnomon.ioc.app import known_lattices
from gnomon.ioc.app.known_lattices import KnownLattice, UnknownLatticeError
from gnomon.ioc.base.config import Config, changed
from gnomon.ioc.base.running_servers import RunningServer
from gnomon.recorder import JournalError, RemoteError
from unit.cli.commands import tell_journal
from unit.cli.served_lattice import MLS, STEERER, FakeClient
from unit.recorder.test_replay_steps import Recording, current


def named_lattice(config: Config, text: str) -> KnownLattice:
    """Without a server: commands are those of the configuration's journal."""
    return lattice_options.named_lattice(config, text, ChosenJournal(config, Asked(config.journal(), offline=True)))


def test_names_of_lattices_are_found_by_what_they_are(config: Config) -> None:
    assert named_lattice(config, "nominal").lattice.id == MLS.nominal.id
    for text in (
        "low_alpha",
        "optics:low_alpha",
        MLS.optics["low_alpha"].id,
        f"lattice:{MLS.optics['low_alpha'].id[:8]}",
    ):
        assert named_lattice(config, text).lattice.id == MLS.optics["low_alpha"].id
    with pytest.raises(UnknownLatticeError, match="is not a snapshot"):
        named_lattice(config, "flat")
    with pytest.raises(UnknownLatticeError, match="not the number of a command"):
        named_lattice(config, "at:x")


def test_nominal_means_the_machine_of_the_other_lattice(monkeypatch: pytest.MonkeyPatch) -> None:
    other = KnownLattice(MLS.optics["low_alpha"], "snapshot x")
    monkeypatch.setattr(known_lattices, "at_snapshot", lambda *_: other)
    a, b = named_pair(Config(), None, "nominal", "x", ChosenJournal(Config(), Asked(offline=True)))
    assert (a.lattice.id, b) == (MLS.nominal.id, other)


@pytest.mark.parametrize(
    "choice",
    [
        LatticeChoice(machine="mls", snapshot="a", at=1),
        LatticeChoice(machine="mls", optics="low_alpha", prefix="T:"),
        LatticeChoice(machine="mls", journal=Path("j")),
    ],
)
def test_options_that_exclude_each_other_are_wrong_use(choice: LatticeChoice) -> None:
    with pytest.raises(typer.BadParameter, match=r"exclude each other|of use with --at and --lattice only"):
        find_lattice(choice)


@pytest.fixture
def recorded(config: Config, tmp_path: Path) -> Config:
    """A journal of two commands to a steerer of the MLS, 0.25 A and 0.5 A."""
    made = Recording(tmp_path / "twin.journal", MLS)
    for value in (0.25, 0.5):
        made.put(current(STEERER, value))
    made.journal.close()
    return changed(config, {"recorder": {"journal": str(made.path)}})


def with_steerer(value: float) -> str:
    return MLS.nominal.updated({(STEERER, "current"): value}).id


@pytest.mark.parametrize(("text", "value"), [("0", 0.0), ("1", 0.25), ("at:1", 0.25), ("2", 0.5), ("at:2", 0.5)])
def test_a_number_names_a_command(recorded: Config, text: str, value: float) -> None:
    assert named_lattice(recorded, text).lattice.id == with_steerer(value)


def test_a_recorded_lattice_is_found_by_the_beginning_of_its_id_even_if_it_is_all_digits(
    recorded: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = named_lattice(recorded, with_steerer(0.25)[:8])
    assert (known.lattice.id, known.origin) == (with_steerer(0.25), "command 1 of 'TWIN:'")
    asked: list[str] = []

    def at_id(config: Config, journal: object, text: str) -> KnownLattice:
        asked.append(text)
        return known

    monkeypatch.setattr(known_lattices, "at_id", at_id)
    assert named_lattice(recorded, "123456789012") == known
    assert asked == ["123456789012"]


@pytest.mark.parametrize("text", ["at:-1", "at:1.0", "at:\u0661", "at:1e3"])
def test_a_command_is_asked_for_by_digits_alone(recorded: Config, text: str) -> None:
    with pytest.raises(UnknownLatticeError, match="is not the number of a command"):
        named_lattice(recorded, text)


@pytest.mark.parametrize("text", ["T:", "server:T:"])
def test_a_prefix_means_the_running_server(
    config: Config, served: type[FakeClient], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(served, "lattice", MLS.nominal.updated({(STEERER, "current"): 0.25}))
    known = named_lattice(config, text)
    assert (known.lattice.id, known.origin) == (with_steerer(0.25), "server 'T:'")


def test_an_unknown_name_is_quoted_without_control_characters(config: Config) -> None:
    with pytest.raises(UnknownLatticeError, match=r"'\\x1b\[2J' is not a snapshot \(none\), optics, a lattice id"):
        named_lattice(config, "\x1b[2J")


def test_the_options_choose_the_lattice(recorded: Config, tmp_path: Path) -> None:
    journal = tmp_path / "twin.journal"
    low = MLS.optics["low_alpha"].id
    for choice, expected in (
        (LatticeChoice(machine="mls"), MLS.nominal.id),
        (LatticeChoice(machine="mls", optics="low_alpha"), low),
        (LatticeChoice(machine="mls", lattice=low[:10]), low),
        (LatticeChoice(machine="mls", at=1, journal=journal), with_steerer(0.25)),
        (LatticeChoice(machine="mls", lattice=with_steerer(0.5)[:10], journal=journal), with_steerer(0.5)),
    ):
        assert find_lattice(choice).lattice.id == expected


def test_a_lattice_of_another_machine_than_asked_for_is_refused(recorded: Config, tmp_path: Path) -> None:
    with pytest.raises(UnknownLatticeError, match="command 1 of 'TWIN:' is of machine 'mls', not of 'bessy2'"):
        find_lattice(LatticeChoice(machine="bessy2", at=1, journal=tmp_path / "twin.journal"))


@pytest.fixture
def writing(recorded: Config, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A server of the MLS that writes the journal of two commands; the configuration names another journal."""
    path = recorded.journal()
    running = RunningServer(
        prefix="TWIN:", machine="mls", role="twin", pid=4711, ca_address="127.0.0.1:1", pva_address="127.0.0.1:2",
        environment={}, config="", journal=str(path), store=str(recorded.store_path()),
    )  # fmt: skip
    monkeypatch.setattr("gnomon.clients.server_choice.running_servers", lambda *_: [running])
    monkeypatch.setattr(served_journal, "ask_journal", tell_journal(path))
    return changed(recorded, {"recorder": {"journal": str(path.with_name("another.journal"))}})


def test_commands_and_ids_are_those_of_the_running_server(writing: Config) -> None:
    for choice in (
        LatticeChoice(at=1),
        LatticeChoice(lattice=with_steerer(0.25)[:10]),
        LatticeChoice(at=1, prefix="TWIN:"),
    ):
        assert find_lattice(choice).lattice.id == with_steerer(0.25)
    journal = ChosenJournal(writing, Asked())
    assert lattice_options.named_lattice(writing, "2", journal).lattice.id == with_steerer(0.5)
    a, b = named_pair(Config(), None, "1", with_steerer(0.5)[:10], ChosenJournal(Config(), Asked()))
    assert (a.lattice.id, b.lattice.id) == (with_steerer(0.25), with_steerer(0.5))


def test_a_server_that_does_not_answer_is_refused_unless_the_file_alone_is_asked_for(
    writing: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(target: object) -> dict[str, object]:
        raise RemoteError("no server answered")

    monkeypatch.setattr(served_journal, "ask_journal", silent)
    with pytest.raises(RemoteError, match="no server answered"):
        find_lattice(LatticeChoice(at=1))
    with pytest.raises(JournalError, match=r"another\.journal"):
        lattice_options.named_lattice(writing, "1", ChosenJournal(writing, Asked(writing.journal(), offline=True)))


def test_without_a_server_the_way_to_the_file_is_told(recorded: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.clients.server_choice.running_servers", lambda *_: [])
    for name in ("EPICS_PVA_ADDR_LIST", "EPICS_PVA_NAME_SERVERS", "EPICS_CA_ADDR_LIST", "EPICS_CA_NAME_SERVERS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(NoServerError, match=r"no server of this user runs.*\n--offline reads the journal's file"):
        find_lattice(LatticeChoice(at=1))
    with pytest.raises(UnknownLatticeError, match=r"is not a snapshot .*in a journal it was not looked for: no server"):
        lattice_options.named_lattice(recorded, "ffffffff", ChosenJournal(recorded, Asked()))
    assert find_lattice(LatticeChoice(at=1, journal=recorded.journal())).lattice.id == with_steerer(0.25)
