"""Procedures on a twin, in a process of their own: what an operator records before it goes to the machine."""

from collections.abc import Mapping
from pathlib import Path

from gnomon.procedures.scripting import connect
from gnomon.recorder import Reader


def rehearse(prefix: str, journal: str, results: str, tune: float, optics: Mapping[str, float]) -> dict[str, list[int]]:
    """Make a closed bump, a response, a change of the horizontal tune, and one of the optics to currents by PV.

    Returns the numbers of the first and the last command of each. The bump stays; the tunes are put back before the
    optics.
    """
    found: dict[str, list[int]] = {}

    def last() -> int:
        with Reader(Path(journal)) as reader:
            return reader.last_sequence()

    def made(name: str, before: int) -> int:
        found[name] = [before + 1, last()]
        return found[name][1]

    with connect(prefix, results=results) as machine:
        at = last()
        machine.run("bump", monitor="BPMZ3L2RP", y=0.3, steps=1, readings=1, apply=True)
        at = made("bump", at)
        machine.run("orm", devices=["HS3P1L4RP", "VS3P1L4RP"], move_mm=0.3)
        at = made("response", at)
        supplies = ["Q2P?L?RP", "Q3P?L?RP"]
        tunes = machine.ring.tunes
        run = machine.run("correct-tune", to=(tunes.x % 1.0 + tune, tunes.y % 1.0), devices=supplies, apply=True)
        made("tunes", at)
        before = dict(zip(run.data["supplies"], run.data["settings"], strict=True))
        machine.ring.set({f"{name}:setCur": value for name, value in before.items()})
        at = last()
        for name, value in optics.items():
            machine.ring.set({name: value})
        made("optics", at)
    return found
