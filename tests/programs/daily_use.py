"""Daily use by clients of both rings: optics, frequency sweeps, voltages, switches, the multiplexer."""

import time
from typing import Any

import epics
import numpy as np
from patience import PATIENCE_S

from programs.access import caget, caput, pva, pvput, tried

OPTICS = "MLSOPCCP:actOptRmpTblSet"


def get(name: str, **options: Any) -> Any:
    """A value over Channel Access."""
    return caget("T:" + name, **options)


def get_all(names: list[str]) -> list[Any]:
    """Values over Channel Access."""
    return [get(name) for name in names]


def put(name: str, value: Any) -> Any:
    """Put over Channel Access and wait: 1 is done."""
    return caput("T:" + name, value)


def put_all(puts: list[tuple[str, Any]]) -> list[Any]:
    """Put one after the other, whether it is done or refused."""
    return [put(name, value) for name, value in puts]


def severity(name: str) -> int:
    """The alarm severity of a PV over Channel Access."""
    return int(epics.PV("T:" + name).get_timevars(timeout=PATIENCE_S)["severity"])


def value_and_severity(name: str) -> list[Any]:
    """Both of them, over Channel Access."""
    return [get(name), severity(name)]


def kinds_over_ca(names: list[str]) -> list[list[Any]]:
    """Value, unit, type and severity of each PV."""
    rows = []
    for name in names:
        pv = epics.PV("T:" + name, form="ctrl")
        rows.append([float(pv.get(timeout=PATIENCE_S)), pv.units or "", pv.type, pv.severity])
    return rows


def numbers_over_pva(names: list[str]) -> list[float]:
    """Each PV as a number."""
    return [float(pva().get("T:" + name, timeout=PATIENCE_S)) for name in names]


def array_over_pva(name: str) -> list[Any]:
    """Type of the items, and how many there are."""
    value = pva().get("T:" + name, timeout=PATIENCE_S)
    return [str(value.dtype), len(value)]


def buffer_after_a_kick(steerer: str, buffer: str, monitors: list[str]) -> list[Any]:
    """Type and content of a buffer while a steerer is on, and the positions at the monitors."""
    put(steerer, 0.5)
    pv = epics.PV("T:" + buffer)
    content = [int(value) for value in pv.get(timeout=PATIENCE_S)]
    found = [pv.type, content, [get(name + ":rdX") for name in monitors]]
    put(steerer, 0.0)
    return found


def optics(numbers: list[int]) -> list[list[Any]]:
    """Switch to each optics: how many results that took, and what is read afterwards."""
    names = [OPTICS, "ERMPCGP:rdRmp", "PAHRP:setVoltCav", "TUNEZRP:measZ", "QPD01ZL2RP:rdSigmaX"]
    names += ["beam:twiss:x:tune", "beam:twiss:y:tune"]
    rows = []
    for number in numbers:
        before = get("dt:generation")
        put(OPTICS, number)
        rows.append([number, get("dt:generation") - before, *(get(name) for name in names)])
    return rows


def voltages(kilovolts: list[float]) -> list[list[Any]]:
    """Read the beam at each voltage of the cavity."""
    rows = []
    for voltage in kilovolts:
        put("PAHRP:setVoltCav", voltage)
        row = [get("TUNEZRP:measZ"), severity("TUNEZRP:measZ"), severity("TUNEZRP:measX"), get("TUNEZRP:measX")]
        rows.append([*row, get("CUM1ZK3RP:measCur"), severity("CUM1ZK3RP:rdLt10")])
    return rows


def switch_over_pva(name: str, state: str, refused: str, value: int) -> list[Any]:
    """Put a state, and one elsewhere that there is not: the first one's number, and what the second put said."""
    pvput("T:" + name, state)
    return [int(pva().get("T:" + name, timeout=PATIENCE_S)), tried("T:" + refused, value)]


def sweep(setter: str, tunes: list[str], relative: float, harmonic: float) -> list[Any]:
    """Chromaticities by a sweep of the RF frequency, as the model has them, and some of the orbit afterwards."""
    alpha, nominal = float(get("beam:alphac")), get(setter)
    rows = []
    for change in np.linspace(-1.0, 1.0, 7) * relative:
        put(setter, nominal * (1.0 + change))
        turns = nominal * (1.0 + change) / harmonic
        rows.append([change, *(get(name) / turns for name in tunes)])
    put(setter, nominal)
    table = np.array(rows)
    # Frequency up by df / f: the path must be shorter by as much, and delta = -df / f / alpha.
    fits = [float(np.polyfit(-table[:, 0] / alpha, table[:, 1 + plane], 3)[-2]) for plane in (0, 1)]
    return [fits, [get("beam:chromaticity:" + plane) for plane in "xy"], list(get("beam:orbit:x")[:3])]


def multiplex(magnet: str) -> list[Any]:
    """Connect a magnet to the multiplexer, switch its supply off and on, disconnect it: readings; names shown."""
    names: list[str] = []
    pv = epics.PV("T:PMUXZR:name", callback=lambda char_value=None, **_: names.append(char_value))
    pv.wait_for_connection(timeout=PATIENCE_S)
    time.sleep(0.3)
    before = get(f"{magnet}:im:I")
    put("QSPAZR:set", 2.0)
    put(f"PMUXZR:{magnet}", 1)
    row = [get(f"{magnet}:im:I") - before, get(f"PMUXZR:{magnet}"), get("PMUXZR:off"), get("PMUXZR:name")]
    put("QSPAZR:cmd1", 0)
    row += [get(f"{magnet}:im:I") - before, get("QSPAZR:stat1"), get("QSPAZR:stat2")]
    put("QSPAZR:cmd1", 1)
    put("PMUXZR:off", 1)
    row += [get(f"{magnet}:im:I") - before, get("PMUXZR:off")]
    put("QSPAZR:set", 0.0)
    time.sleep(0.2)
    return [row, names]


def put_and_read(puts: list[tuple[str, Any]], names: list[str]) -> list[Any]:
    """Put, then read."""
    put_all(puts)
    return get_all(names)
