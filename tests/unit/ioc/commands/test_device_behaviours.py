"""Time that a device takes for a command, and what it passes meanwhile."""

from gnomon.ioc.commands.device_behaviours import MultiplexerSwitching, passed
from gnomon.lattice import Setting
from unit.ioc.rig import RING


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def begin(self, states: tuple[int, ...], delay_s: float) -> None:
        self.told.append((states, delay_s))

    def confirm(self) -> None:
        self.told.append("confirm")

    def settle(self) -> None:
        self.told.append("settle")


def select(number: float) -> Setting:
    return Setting("T:x", "MUX", "selected", number)


CURRENT = Setting("T:y", "MUXP", "current", 1.0)


def test_the_steps_of_a_selection_depend_on_what_is_connected() -> None:
    none, first = RING.nominal, RING.nominal.updated({("MUX", "selected"): 1.0})
    assert passed(none, (select(1.0),)) == (1, 0)
    assert passed(first, (select(2.0),)) == (0,)
    assert passed(first, (select(1.0),)) == ()
    assert passed(first, (select(1.0),), under_way=True) == (1, 0)
    assert passed(first, (select(0.0),)) == ()
    switching = MultiplexerSwitching(RING, Listener())
    assert switching.takes_s(none, (select(1.0),), under_way=False) == 2 * 0.1
    assert switching.takes_s(first, (select(2.0),), under_way=False) == 0.1
    assert switching.takes_s(first, (select(2.0), CURRENT), under_way=False) == 0.0


def test_a_listener_hears_of_the_course_of_a_selection() -> None:
    listener = Listener()
    switching = MultiplexerSwitching(RING, listener)
    switching.begun(RING.nominal, (select(1.0),), 0.2, under_way=False)
    switching.acted((select(0.0),))
    switching.acted((select(1.0),))
    switching.given_up()
    assert listener.told == [((1, 0), 0.2), "confirm", "settle"]


def test_a_selection_among_other_settings_concerns_the_multiplexer_and_others_alone_do_not() -> None:
    switching = MultiplexerSwitching(RING, Listener())
    assert switching.concerns((select(0.0),))
    assert switching.concerns((CURRENT, select(1.0)))
    assert not switching.concerns((CURRENT,))
