"""The present lattice of a running server, from the setpoints that it shows."""

import pytest

from gnomon.cli.running_lattice import running_lattice, with_setpoints
from gnomon.clients.server_choice import Target
from gnomon.db.pvs import Kind, PvSpec
from gnomon.ioc.base.config import Config
from unit.cli.served_lattice import MLS, STEERER, FakeClient


@pytest.mark.parametrize(
    "changes", [{(STEERER, "current"): 0.25}, {("Q1P1K1RP", "current"): 53.0, ("rf", "frequency"): 499655.0}]
)
def test_a_server_is_read_by_its_setpoints(
    config: Config, served: type[FakeClient], monkeypatch: pytest.MonkeyPatch, changes: dict[tuple[str, str], float]
) -> None:
    monkeypatch.setattr(served, "lattice", MLS.nominal.updated(changes))
    known = running_lattice(config, Target("T:"))
    for key in changes:
        assert known.lattice[key] == pytest.approx(served.lattice[key], rel=1e-12)


def test_a_strength_with_a_trim_is_set_and_one_that_its_current_gives_is_not() -> None:
    def spec(name: str, device: str, property_: str, scale: float = 1.0) -> PvSpec:
        return PvSpec(
            name=name, kind=Kind.FLOAT, source="set", description="", device=device, property=property_, scale=scale
        )

    served = MLS.nominal.updated({("Q1P1K1RP", "current"): 53.0, ("Q1M2K1RP", "k1"): 2.5})
    shown = {
        spec("a", "Q1P1K1RP", "current", 1e3): 53e3,
        spec("b", "Q1M1K1RP", "k1"): served["Q1M1K1RP", "k1"] * (1.0 + 1e-15),
        spec("c", "Q1M2K1RP", "k1"): 2.5,
    }
    assert with_setpoints(MLS.nominal, shown).id == served.id


def test_settings_that_no_pv_shows_are_mentioned_in_the_origin(
    config: Config, served: type[FakeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "lattice", MLS.nominal.updated({("Q1M1K1RP", "dx"): 1e-4}))
    assert running_lattice(config, Target("T:")).origin == "server 'T:', settings without a PV nominal"
    monkeypatch.setattr(served, "lattice", MLS.nominal)
    assert running_lattice(config, Target("T:")).origin == "server 'T:'"
