"""The net effect of recorded commands as steps: from the state before the first to that after the last one.

All settings go together, each by the same fraction of its way in a round, so that no step is larger than allowed and
settings that belong together, such as those of a bump, stay so.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gnomon.db.pvs import PvSpec
from gnomon.lattice import Lattice
from gnomon.recorder.entries import Entry, Key, Run, StoredChange, key_of
from gnomon.recorder.recorder_errors import ReplayError
from gnomon.recorder.replay_steps import Beam, Plan, Put, Setpoints, plan_of_puts, same_run

#: Rounds at most: a range that needs more is one that no step size fits.
MAX_ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class _Way:
    """The way of one setting from the first state to the last; one of a state is not divided into steps."""

    last: StoredChange
    sequence: int
    wall_ns: int
    start: float
    end: float
    rounds: int
    whole: bool


def make_net_plan(
    entries: Sequence[Entry],
    run: Run,
    prefix: str,
    start: Lattice,
    specs: Sequence[PvSpec],
    propagate: Callable[[Lattice], Beam],
    max_step: float,
) -> Plan:
    """Make the steps from `start` to the state after `entries`, none larger than `max_step` of a setpoint's range.

    Raises ReplayError as `make_plan` does, and if the last state is that before the first command.
    """
    same_run(entries, run)
    setpoints = Setpoints(specs)
    ways = _ways(entries, setpoints, start, max_step)
    if not ways:
        raise ReplayError("the range ends where it began: there is nothing to write")
    rounds = max(way.rounds for way in ways)
    if rounds > MAX_ROUNDS:
        raise ReplayError(
            f"{rounds} steps would be needed for each setting, and at most {MAX_ROUNDS} are made; allow larger ones "
            "with --max-step"
        )
    puts: list[Put] = []
    for number in range(1, rounds + 1):
        for way in ways:
            if not way.whole:
                puts.append(_part_of(way, (number - 1) / rounds, number / rounds))
            elif number == 1:
                puts.append(_part_of(way, 0.0, 1.0))
    return plan_of_puts(puts, run.prefix, prefix, start, setpoints, propagate)


def _ways(entries: Sequence[Entry], setpoints: Setpoints, start: Lattice, max_step: float) -> list[_Way]:
    last: dict[Key, tuple[int, int, StoredChange]] = {}
    acted = sorted(
        ((done, entry.sequence) for entry in entries if (done := entry.applied) is not None), key=lambda p: p[0].order
    )
    for outcome, sequence in acted:
        for effect in outcome.effects:
            if effect.setting_done is not None:
                last[key_of(effect)] = (sequence, outcome.wall_ns, effect)
    ways = []
    for key, (sequence, wall_ns, effect) in last.items():
        begin, end = start[key], effect.setting_done
        if end is None or end == begin:
            continue
        spec = setpoints.of_property(*key) or setpoints.of_setting(*key, start)
        whole = spec is None or bool(spec.states) or spec.drive is None
        rounds = 1
        if spec is not None and spec.drive is not None and not whole:
            largest = max_step * (spec.drive[1] - spec.drive[0])
            rounds = math.ceil(abs(end - begin) * abs(spec.scale) / largest * (1 - 1e-12)) if largest > 0.0 else 1
        ways.append(_Way(effect, sequence, wall_ns, begin, end, max(rounds, 1), whole))
    return ways


def _part_of(way: _Way, first: float, second: float) -> Put:
    """Make the put for a part of a way, between two fractions of it; the last one ends exactly."""
    old, new = (
        way.end if fraction == 1.0 else way.start + fraction * (way.end - way.start) for fraction in (first, second)
    )
    effect = way.last
    change = StoredChange(
        pv=effect.pv if way.whole else "",  # a button is pressed by its own PV
        device=effect.device,
        property=effect.setting,
        unit=effect.unit,
        old=old,
        new=new,
        done=new,
        setting=effect.setting,
        setting_old=old,
        setting_done=new,
    )
    return Put(way.sequence, way.wall_ns, (change,))
