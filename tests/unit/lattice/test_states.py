"""Names of states that Channel Access cannot carry are found when a document is read."""

import pytest

from gnomon.lattice.states import fault_in_states


@pytest.mark.parametrize(
    ("states", "fault"),
    [
        (("off", ""), "state 1 has no name"),
        (("off", "  "), "state 1 has no name"),
        (("off", "on", "off"), "states 0 and 2 have the same name, 'off'"),
        (("x" * 26,), "has 26 bytes; Channel Access has room for 25"),
        (("ä" * 13,), "has 26 bytes"),
        (tuple(f"s{i}" for i in range(17)), "there are 17 states; Channel Access has room for 16"),
    ],
)
def test_states_that_clients_cannot_tell_apart_are_a_fault(states: tuple[str, ...], fault: str) -> None:
    assert fault in fault_in_states(states)


@pytest.mark.parametrize("states", [(), ("off", "on"), ("ä" * 12, "x" * 25), tuple(f"s{i}" for i in range(16))])
def test_states_that_every_client_can_show_are_not_a_fault(states: tuple[str, ...]) -> None:
    assert fault_in_states(states) == ""
