"""Write the shipped machine documents from the fact tables in tests/facts: `python -m tests.tools.machine_documents`.

The tables have one folder a ring, each with elements.csv, magnets.csv or power_converters.csv and so on.
The documents in db/machines are what this wrote; a test compares the two.
"""

import csv
import json
from pathlib import Path
from typing import Any

#: MLS conversion slopes are not public. One number a magnet type puts the nominal strengths at plausible currents.
MLS_SLOPES = {"quadrupole": 0.1, "sextupole": 2.0, "octupole": 50.0, "steerer": 0.002}
MAIN = {"quadrupole": "k1", "sextupole": "b3", "octupole": "b4"}
LIMITS = {
    "assumed": True,
    "supply": {
        "k1": {"relative": [0.0, 1.5]},
        "b3": {"relative": [0.0, 1.5], "absolute": [-60.0, 60.0]},
        "b4": {"relative": [0.0, 1.5], "absolute": [-20.0, 20.0]},
        "kick_x": {"absolute": [-10.0, 10.0], "alarm": [-1.0, 1.0]},
        "kick_y": {"absolute": [-10.0, 10.0], "alarm": [-1.0, 1.0]},
    },
    "strength": [0.5, 1.5],
    "offset_m": 1e-3,
    "roll_rad": 5e-3,
    "skew": 0.5,
    "rf_hz": 5e3,
    "voltage_v": 1e6,
    "energy": [0.1, 1.1],
}

#: Clients of the MLS sweep the master clock by +-15 kHz.
MLS_LIMITS = LIMITS | {"rf_hz": 50e3}

#: Difference over sum of the four buttons; these scales are assumed.
PICKUP = {"factor_x_mm": 10.0, "factor_y_mm": 10.0, "assumed": True}

#: What the ramp table selector of the MLS counts, from 1; 0 is the standard user optics of elements.csv.
MLS_OPTICS = ("low_alpha", "low_emittance", "ssmb", "injection")

#: Slots of the monitors of the MLS in rows of 32: the last of each eight is empty.
MLS_SLOTS = [slot for slot in range(1, 32) if slot % 8]

OFF_ON = ["off", "on"]

Row = dict[str, str]


def table(path: Path) -> list[Row]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(row: Row, key: str) -> float:
    """A number, 0 where the table is empty."""
    return float(row.get(key) or 0.0)


def element(row: Row) -> dict[str, Any]:
    """One element of the document."""
    kind = row["type"].lower().replace("rfcavity", "cavity").replace("dipole", "bend")
    part: dict[str, Any] = {"type": kind, "name": row["name"], "length": number(row, "length_m")}
    match kind:
        case "marker":
            del part["length"]
        case "quadrupole":
            part["k1"] = number(row, "k1_per_m2")
        case "sextupole":
            part["b3"] = number(row, "b3_per_m3")
        case "octupole":
            part["b4"] = number(row, "b4_per_m4")
        case "cavity":
            part |= {
                "frequency": number(row, "rf_frequency_hz"),
                "voltage": number(row, "rf_voltage_v"),
                "harmonic_number": int(row["harmonic_number"]),
            }
        case "bend":
            part |= {
                "angle": number(row, "angle_rad"),
                "entrance_angle": number(row, "entrance_angle_rad"),
                "exit_angle": number(row, "exit_angle_rad"),
                "gap": number(row, "full_gap_m"),
                "fint_entrance": number(row, "fint_entrance"),
                "fint_exit": number(row, "fint_exit"),
            }
            if number(row, "k1_per_m2"):
                part["b"] = [0.0, number(row, "k1_per_m2"), 0.0, 0.0]
    return part


def bessy2(folder: Path) -> dict[str, Any]:
    """The document of BESSY II."""
    supplies = [
        {"name": r["power_converter"], "settle_time_s": number(r, "settle_time_s"), "timeout_s": number(r, "timeout_s")}
        for r in table(folder / "power_converters.csv")
    ]
    magnets = []
    for row in table(folder / "magnets.csv"):
        plane = {"H": "kick_x", "V": "kick_y"}.get(row["magnet"][0], "")
        magnet = {
            "name": row["magnet"],
            "element": row["element"],
            "property": MAIN.get(row["type"], plane),
            "supply": row["power_converter"],
            "conversion": {"kind": "linear", "slope": number(row, "slope"), "intercept": number(row, "intercept")},
        }
        magnets.append(magnet | ({"assumed": True} if row["assumed"] == "1" else {}))
    monitors = []
    for row in table(folder / "bpms.csv"):
        monitor: dict[str, Any] = {"name": row["bpm"]}
        if row["readout_slot"]:
            monitor["slot"] = int(row["readout_slot"])
        if row["offset_x_mm"]:
            monitor |= {"offset_x_mm": number(row, "offset_x_mm"), "offset_y_mm": number(row, "offset_y_mm")}
        monitors.append(monitor)
    return {
        "schema": "gnomon.machine/1",
        "name": "bessy2",
        "title": "BESSY II storage ring",
        "source": "public reference data of the ring (elements, power converters, conversions, monitors)",
        "notes": [
            "Conversions: field = slope x current + intercept; all nominal currents come out positive.",
            "The slope of the S1 sextupoles (supply S1PR) is assumed; drive limits are assumed throughout.",
            "The horizontal coils of the dipoles have no supply and are left out.",
            "Alarm limits of the steerers are the +-1 A that steerer studies keep to.",
            "Coupling, lifetimes, top-up interval and the time that the multiplexer shows each state are assumed.",
        ],
        "energy_ev": 1.7185e9,
        "harmonic_number": 400,
        "beam_current_ma": 250.0,
        "rf": {"unit": "kHz"},
        "pvs": "bessy2",
        "limits": LIMITS,
        "elements": [element(r) for r in table(folder / "elements.csv")],
        "supplies": supplies,
        "magnets": magnets,
        "monitors": monitors,
        "pickup": PICKUP,
        "multiplexer": {
            "name": "PMUXZR",
            "supply": "QSPAZR",
            "factor": -2.67857,
            "limits": {"low": -10.0, "high": 10.0, "assumed": True},
            "magnets": [m["name"] for m in magnets if m["property"] == "k1"],
            "state_s": 0.1,
        },
        "coupling": 0.01,
        "stored_beam": {
            "gas_lifetime_h": 60.0,
            "touschek_lifetime_h": 10.0,
            "top_up_s": 60.0,
            "gate_s": 1.0,
            "assumed": True,
        },
    }


def mls(folder: Path) -> dict[str, Any]:
    """The document of the MLS, with its four optics."""
    elements = table(folder / "elements.csv")
    magnets = []
    for row in table(folder / "power_converters.csv"):
        name, family = row["magnet"], row["type"]
        magnets.append(_mls_magnet(name, name, MAIN[family], row["power_converter"], family))
    for row in table(folder / "steerers.csv"):
        name = row["power_converter"].replace("P", "M", 1)
        plane = "kick_x" if row["plane"] == "H" else "kick_y"
        magnets.append(_mls_magnet(name, row["element"], plane, row["power_converter"], "steerer"))
    monitors = [r["name"] for r in elements if r["type"] == "Monitor"]
    optics = {
        name: {r["element"]: float(r["value"]) for r in table(folder / f"optics_{name}.csv")} for name in MLS_OPTICS
    }
    return {
        "schema": "gnomon.machine/1",
        "name": "mls",
        "title": "Metrology Light Source storage ring",
        "source": "public reference data of the ring (elements, power converters, optics, monitors)",
        "notes": [
            "The slopes of the conversions are not public: one assumed number a magnet type, to be replaced.",
            "Drive limits are assumed throughout.",
            "The skew quadrupole coils of four S1 sextupoles have no supply and are left out.",
            "Assumed as well: the optics' numbers, source points, coupling, lifetimes, the range of the run mode.",
            "The dipoles and all fields without a supply of their own follow the energy.",
        ],
        "energy_ev": 629e6,
        "harmonic_number": 80,
        "beam_current_ma": 150.0,
        "rf": {"unit": "kHz"},
        "pvs": "mls",
        "limits": MLS_LIMITS,
        "elements": [element(r) for r in elements],
        "supplies": [{"name": n} for n in dict.fromkeys(m["supply"] for m in magnets)],
        "magnets": magnets,
        "monitors": [{"name": name, "slot": slot} for name, slot in zip(monitors, MLS_SLOTS, strict=True)],
        "pickup": PICKUP,
        "optics": optics,
        "operating": {"injection": {"energy_ev": 105e6, "voltage_v": 72e3}},
        "switches": [
            {"name": "feedback_x", "states": OFF_ON},
            {"name": "feedback_y", "states": OFF_ON},
            {"name": "feedback_z", "states": OFF_ON},
            {"name": "phase_modulation", "states": OFF_ON},
            {"name": "orbit_correction", "low": 0, "high": 15, "assumed": True},
        ],
        "coupling": 0.01,
        "source_points": [
            {"name": "QPD01ZL2RP", "element": "BM1L2RP", "assumed": True},
            {"name": "QPD00ZL4RP", "element": "BM2L4RP", "assumed": True},
        ],
        "stored_beam": {"gas_lifetime_h": 20.0, "touschek_lifetime_h": 10.0, "assumed": True},
    }


def _mls_magnet(name: str, element_name: str, prop: str, supply: str, family: str) -> dict[str, Any]:
    return {
        "name": name,
        "element": element_name,
        "property": prop,
        "supply": supply,
        "conversion": {"kind": "linear", "slope": MLS_SLOPES[family]},
        "assumed": True,
    }


MACHINES = {"bessy2": bessy2, "mls": mls}


def render(document: dict[str, Any]) -> str:
    """The document as JSON, one part a line, so that a change of one magnet is a change of one line."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            body = ",\n".join("    " + json.dumps(v) for v in value)
            lines.append(f"  {json.dumps(key)}: [\n{body}\n  ]")
        elif isinstance(value, dict) and len(json.dumps(value)) > 110:
            body = ",\n".join(f"    {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f"  {json.dumps(key)}: {{\n{body}\n  }}")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(tables: Path, target: Path) -> None:
    """Write all documents."""
    for name, build in MACHINES.items():
        (target / f"{name}.json").write_text(render(build(tables / name)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).parents[1] / "facts", Path(__file__).parents[2] / "db" / "machines")
