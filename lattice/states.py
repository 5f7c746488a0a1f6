"""Names of states, as Channel Access can carry them."""

from collections.abc import Sequence

#: Most states of one PV, and the longest name of one [bytes of UTF-8].
MAX_STATES = 16
MAX_STATE_BYTES = 25


def fault_in_states(states: Sequence[str]) -> str:
    """Say what is wrong with the names of a PV's states; empty when each is told from the others by every client."""
    if len(states) > MAX_STATES:
        return f"there are {len(states)} states; Channel Access has room for {MAX_STATES}"
    for number, state in enumerate(states):
        if not state.strip():
            return f"state {number} has no name: give it one"
        if (size := len(state.encode(errors="replace"))) > MAX_STATE_BYTES:
            return f"state {number}, {state!r}, has {size} bytes; Channel Access has room for {MAX_STATE_BYTES}"
        if (first := states.index(state)) != number:
            return f"states {first} and {number} have the same name, {state!r}"
    return ""
