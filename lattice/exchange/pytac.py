"""Devices from pytac's tables: names, supplies, conversions, limits and PVs of a ring that was imported bare.

pytac (Diamond Light Source) keeps a ring mode as a folder of CSV files that belong, element by element, to a lattice
file. They are read here as data; pytac itself is not needed.
"""

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from gnomon.lattice.exchange.findings import ExchangeError, Finding
from gnomon.lattice.exchange.importing import Imported
from gnomon.lattice.exchange.powering import COIL, LIMITS, rigidity
from gnomon.lattice.exchange.source_files import read_text
from gnomon.lattice.text import parse_number, shorten

#: Fields of magnets and the properties that they are here.
FIELDS = {"b1": "k1", "a1": "k1s", "b2": "b3", "b3": "b4", "x_kick": "kick_x", "y_kick": "kick_y"}

#: Fields of the ring and of the cavity: source, unit and scale of the PV that shows them.
SHOWN: Mapping[tuple[str, str], dict[str, Any]] = {
    ("ring", "tune_x"): {"source": "tune.fraction.x", "description": "horizontal tune without its integer part"},
    ("ring", "tune_y"): {"source": "tune.fraction.y", "description": "vertical tune without its integer part"},
}

#: Families whose conversions end in fields, which pytac divides by the rigidity.
RIGID = {"hstr", "vstr", "quadrupole", "sextupole", "multipole", "bend"}

#: Elements that carry a field of their own.
STEERABLE = {"quadrupole", "sextupole", "octupole", "multipole", "corrector", "bend"}

#: Intervals that one between measured points becomes where the curve is followed beyond them.
STEPS = 10

Row = Mapping[str, str]


@dataclass(frozen=True)
class Tables:
    """The files of a ring mode, by element number from 1; 0 is the ring itself."""

    folder: Path
    types: Sequence[str]
    families: Mapping[int, set[str]]
    devices: Sequence[Row]
    conversions: Mapping[tuple[int, str], Row]
    polynomials: Mapping[str, Sequence[tuple[float, float]]]
    points: Mapping[str, Sequence[tuple[float, float]]]


def add_pytac(imported: Imported, folder: Path) -> dict[str, Any]:
    """Give a ring the devices of a pytac ring mode, in place, and return the PV document that goes with it.

    Raises ExchangeError when the tables cannot be read or are not of this ring.
    """
    tables = _read(folder)
    document = imported.document
    elements = document["elements"]
    if len(tables.types) != len(elements):
        raise ExchangeError(
            f"{folder}: elements.csv has {len(tables.types)} elements, the ring {len(elements)}: "
            "they do not belong together"
        )
    supplies: dict[str, dict[str, Any]] = {}
    magnets: list[dict[str, Any]] = []
    pvs: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    monitors: dict[int, str] = {}
    stiffness = rigidity(document["energy_ev"], document["rest_energy_ev"])
    for row in tables.devices:
        number, field, name = _number(row["el_id"], folder), row["field"], row["name"]
        if number > len(elements):
            raise ExchangeError(f"{folder / 'epics_devices.csv'}: {name!r}: there is no element {number}")
        part = elements[number - 1] if number else {"type": "ring", "name": "ring"}
        why = ""
        if (part["type"], field) in SHOWN or (part["type"] == "cavity" and field == "f"):
            pvs[field].append((name, row))
        elif part["type"] == "monitor" and field in ("x", "y"):
            monitors[number] = name
            pvs[field].append((name, row))
        elif field not in FIELDS or part["type"] not in STEERABLE:
            why = "nothing here that it could show or set"
        elif (conversion := _conversion(tables, number, field, stiffness)) is None:
            why = "pytac has no conversion for it"
        else:
            limits = _limits(tables.conversions[number, field])
            if name not in supplies:
                supplies[name] = {"name": name}
                if limits:
                    supplies[name]["limits"] = {"low": limits[0], "high": limits[1]}
                pvs["supply"].append((name, row))
            magnets.append(_magnet(part["name"], FIELDS[field], name, conversion))
        if why:
            imported.findings.append(Finding(name, "PV", field, why, f"element {number}", changes_beam=False))
    for number, name in monitors.items():
        elements[number - 1] = elements[number - 1] | {"name": name}
    document |= {
        "notes": [n for n in document["notes"] if not n.startswith("Supplies, conversions")]
        + [f"Supplies, conversions, limits and PV names: pytac's ring mode {folder.name}."],
        "rf": {"unit": "Hz"},
        "pvs": document["name"],
        "limits": LIMITS,
        "supplies": list(supplies.values()),
        "magnets": magnets,
        "monitors": [{"name": name} for name in monitors.values()],
    }
    imported.parsed(str(folder))
    return {"schema": "gnomon.pvs/1", "name": document["name"], "include": ["beam"], "pvs": list(_templates(pvs))}


def _read(folder: Path) -> Tables:
    families: dict[int, set[str]] = defaultdict(set)
    elements = _rows(folder, "elements.csv", "type", "length")
    for i, row in enumerate(elements, 1):
        families[i].add(row["type"].lower())
    for row in _rows(folder, "families.csv", "el_id", "family"):
        families[_number(row["el_id"], folder)].add(row["family"].lower())
    polynomials, points = defaultdict(list), defaultdict(list)
    for row in _rows(folder, "uc_poly_data.csv", "uc_id", "coeff", "val"):
        polynomials[row["uc_id"]].append((_float(row["coeff"], folder), _float(row["val"], folder)))
    for row in _rows(folder, "uc_pchip_data.csv", "uc_id", "eng", "phy"):
        points[row["uc_id"]].append((_float(row["eng"], folder), _float(row["phy"], folder)))
    conversions = _rows(folder, "unitconv.csv", "el_id", "field", "uc_type", "uc_id", "lower_lim", "upper_lim")
    return Tables(
        folder=folder,
        types=[row["type"] for row in elements],
        families=families,
        devices=_rows(folder, "epics_devices.csv", "el_id", "name", "field", "get_pv", "set_pv"),
        conversions={(_number(row["el_id"], folder), row["field"]): row for row in conversions},
        polynomials=polynomials,
        points=points,
    )


def _rows(folder: Path, file: str, *columns: str) -> list[Row]:
    where = folder / file
    reader = csv.DictReader(io.StringIO(read_text(where, "a table of pytac"), newline=""))
    rows: list[Row] = []
    try:
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise ExchangeError(f"{where}: there is no column {', '.join(sorted(missing))}")
        for row in reader:
            empty = [column for column in columns if row[column] is None]
            if empty:
                raise ExchangeError(f"{where}, line {reader.line_num}: the line ends before {', '.join(empty)}")
            rows.append(row)
    except csv.Error as error:
        raise ExchangeError(f"{where}, line {reader.line_num + 1}: not a table: {error}") from error
    return rows


def _number(text: str, folder: Path) -> int:
    try:
        number = parse_number(text)
    except ValueError:
        number = math.nan
    if not number.is_integer() or number < 0.0:
        raise ExchangeError(f"{folder}: el_id {shorten(text)} is not the number of an element")
    return int(number)


def _float(text: str, folder: Path) -> float:
    try:
        return parse_number(text)
    except ValueError:
        raise ExchangeError(f"{folder}: {shorten(text)} is not a number") from None


def _conversion(tables: Tables, number: int, field: str, stiffness: float) -> dict[str, Any] | None:
    row = tables.conversions.get((number, field))
    if row is None or row["uc_type"] == "null":
        return None
    factor = 1.0 if tables.families[number] & RIGID else stiffness
    if row["uc_type"] == "pchip":
        if len(tables.points[row["uc_id"]]) < 2:
            return None
        points = _extended(sorted(tables.points[row["uc_id"]]), row)
        return {"kind": "table", "currents": [i for i, _ in points], "fields": [factor * f for _, f in points]}
    coefficients = [factor * value for _, value in sorted(tables.polynomials[row["uc_id"]])]
    if len(coefficients) < 2:
        return None
    if len(coefficients) == 2:
        return {"kind": "linear", "slope": coefficients[1], "intercept": coefficients[0]}
    limits = _limits(row)
    return limits and {"kind": "polynomial", "coefficients": coefficients, "low": limits[0], "high": limits[1]}


def _extended(points: list[tuple[float, float]], row: Row) -> list[tuple[float, float]]:
    """Measured points as far as the limits: pytac extrapolates the last interval's cubic, tables here do not.

    Where points end before a limit, the whole curve gets points enough to be the same, inside and beyond.
    """
    currents = [current for current, _ in points]
    low, high = _limits(row) or (currents[0], currents[-1])
    corners = sorted({*currents, min(low, currents[0]), max(high, currents[-1])})
    if corners == currents:
        return points
    from scipy.interpolate import PchipInterpolator

    curve = PchipInterpolator(*zip(*points, strict=True), extrapolate=True)
    between = (start + (end - start) * i / STEPS for start, end in pairwise(corners) for i in range(1, STEPS))
    followed = {round(current, 6): float(curve(current)) for current in (*corners, *between)}
    return sorted((followed | dict(points)).items())


def _limits(row: Row) -> tuple[float, float] | None:
    if not (row["lower_lim"] and row["upper_lim"]):
        return None
    low, high = (_float(row[end], Path("unitconv.csv")) for end in ("lower_lim", "upper_lim"))
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _magnet(element: str, property: str, supply: str, conversion: dict[str, Any]) -> dict[str, Any]:
    name = element + (COIL | {"k1s": "_S"})[property]
    return {"name": name, "element": element, "property": property, "supply": supply, "conversion": conversion}


def _templates(pvs: Mapping[str, Sequence[tuple[str, Row]]]) -> Iterable[dict[str, Any]]:
    """Templates for all PVs; where all devices of a kind have one ending, a single one."""
    current = {"property": "current", "precision": 4}
    yield from _kind(pvs["supply"], "set_pv", "supply", {"source": "set"} | current, "current setpoint")
    yield from _kind(pvs["supply"], "get_pv", "supply", {"source": "readback"} | current, "current readback")
    for field, plane in (("x", "horizontal"), ("y", "vertical")):
        shown = {"source": f"monitor.{field}", "unit": "mm", "scale": 1e3, "display": [-10.0, 10.0]}
        yield from _kind(pvs[field], "get_pv", "bpm", shown, f"{plane} position")
    for _, row in pvs["f"]:
        clock = {"device": "rf", "property": "frequency", "precision": 2, "description": "RF master clock frequency"}
        yield from (
            {"pv": row[c], "source": s} | clock for c, s in (("set_pv", "set"), ("get_pv", "readback")) if row[c]
        )
    for (_, field), shown in SHOWN.items():
        yield from ({"pv": row["get_pv"]} | shown for _, row in pvs[field])


def _kind(
    devices: Sequence[tuple[str, Row]], column: str, each: str, shown: dict[str, Any], meaning: str
) -> Iterable[dict[str, Any]]:
    description = {"description": f"{{name}} {meaning}"}
    endings = {row[column].removeprefix(name) if row[column].startswith(name) else None for name, row in devices}
    if len(endings) == 1 and (ending := endings.pop()):
        yield {"pv": f"{{name}}{ending}", "each": each} | shown | description
        return
    for name, row in devices:
        if row[column]:
            yield {"pv": row[column], "device": name} | shown | {"description": f"{name} {meaning}"}
