"""elegant's elements and their attributes: what each becomes here, and which values have no effect on orbit and optics.

Names and default values are those of elegant's parameter tables. An attribute that is not in a table is refused by
name, and so is a value that is not allowed by it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute of an element: its value when it is not given, what it may be, and what becomes of it.

    `allowed` is None where any value will do. `used` tells what is represented from what has no effect.
    """

    default: float | str
    used: bool
    note: str
    allowed: tuple[float | str, ...] | None = None


Table = dict[str, Attribute]


def _used(note: str, default: float | str = 0.0) -> Attribute:
    return Attribute(default, True, note)


def _free(note: str, default: float | str = 0.0) -> Attribute:
    return Attribute(default, False, note)


def _only(note: str, *allowed: float | str) -> Attribute:
    """Refused when it is none of `allowed`, the first of which is the default."""
    return Attribute(allowed[0], False, note, allowed)


def _each(names: str, make: Callable[[], Attribute]) -> dict[str, Attribute]:
    return {name: make() for name in names.split()}


RADIATION = "radiation is computed here in any case"
LABEL = "a label"
STEPS = "enough slices are chosen here"
HAMILTONIAN = "the square root of the Hamiltonian is always expanded here"
OUTPUT = "output of elegant"
READING = "of the reading alone"
APERTURE = "an aperture; not imported"
COLLECTIVE = "of bunches alone"

COMMON: Table = {"GROUP": _free(LABEL, "")}
LENGTH: Table = {"L": _used("length")}
PLACED: Table = {
    "TILT": _used("roll"),
    "DX": _used("dx"),
    "DY": _used("dy"),
    **_each(
        "DZ PITCH YAW EPITCH EYAW ETILT MALIGN_METHOD", lambda: _only("a misalignment that is not known here", 0.0)
    ),
}
STILL: Table = _each(
    "DX DY DZ ETILT EPITCH EYAW", lambda: _only("a misaligned bend of elegant's is not known here", 0.0)
)
COILS: Table = {
    "HKICK": _used("kick_x"),
    "VKICK": _used("kick_y"),
    "HCALIBRATION": _used("a factor on HKICK", 1.0),
    "VCALIBRATION": _used("a factor on VKICK", 1.0),
    **_each("HSTEERING VSTEERING", lambda: _free("of orbit correction")),
    "STEERING_MULTIPOLES": _only("multipoles from a file", ""),
}
LIGHT: Table = _each(
    "SYNCH_RAD ISR ISR1PART USE_RAD_DIST ADD_OPENING_ANGLE SR_IN_ORDINARY_MATRIX", lambda: _free(RADIATION)
)
SLICES: Table = {
    "N_KICKS": _free(STEPS),
    "N_SLICES": _free(STEPS),
    "INTEGRATION_ORDER": _free(STEPS, 4.0),
    "SQRT_ORDER": _free(HAMILTONIAN),
    "EXPAND_HAMILTONIAN": _free(HAMILTONIAN),
}
POLE_TIP: Table = {
    "BORE": _only("a field at the pole tip needs the momentum: give the strength", 0.0),
    **_each("B BTIPL", lambda: _free("used by elegant with BORE alone")),
}
FILES: Table = _each(
    "SYSTEMATIC_MULTIPOLES RANDOM_MULTIPOLES EDGE_MULTIPOLES EDGE1_MULTIPOLES EDGE2_MULTIPOLES",
    lambda: _only("multipoles from a file", ""),
) | _each("SYSTEMATIC_MULTIPOLE_FACTOR RANDOM_MULTIPOLE_FACTOR STEERING_MULTIPOLE_FACTOR MIN_NORMAL_ORDER "
          "MIN_SKEW_ORDER MAX_NORMAL_ORDER MAX_SKEW_ORDER", lambda: _free("of the files of multipoles"))  # fmt: skip
FRINGE: Table = _each(
    "I0P I1P I2P I3P LAMBDA2P I0M I1M I2M I3M LAMBDA2M FFRINGE LEFFECTIVE RADIAL",
    lambda: _only("fringe fields and radial lenses have no kernel", 0.0),
) | {"EDGE1_FSE_EFFECT": _free("of fringe fields"), "EDGE2_FSE_EFFECT": _free("of fringe fields")}
FSE: Table = {"FSE": _used("a factor 1 + FSE on the field")}
MATRIX: Table = {"ORDER": _only("a matrix cut off below the order of its field", 0.0, 2.0, 3.0)}
TRACKED: Table = {"TRACKING_MATRIX": _free(STEPS)}

QUADRUPOLE: Table = COMMON | LENGTH | {"K1": _used("k1")} | PLACED | COILS | POLE_TIP | FSE | FRINGE
KQUAD: Table = QUADRUPOLE | LIGHT | SLICES | FILES | TRACKED | {
    **_each("EDGE1_EFFECTS EDGE2_EFFECTS", lambda: _only("fringe fields have no kernel", 0.0)),
}  # fmt: skip
QUAD: Table = QUADRUPOLE | MATRIX | {
    **_each("EDGE1_EFFECTS EDGE2_EFFECTS", lambda: _free("without fringe integrals elegant has no edge", 1.0)),
    "FRINGE_TYPE": _free("without fringe integrals elegant has no edge", "fixed-strength"),
}  # fmt: skip
SEXT: Table = COMMON | LENGTH | {"K2": _used("2 b3")} | PLACED | FSE | MATRIX | {"FFRINGE": FRINGE["FFRINGE"]}
KSEXT: Table = (
    COMMON | LENGTH | {"K2": _used("2 b3"), "K1": _used("k1"), "J1": _only("a skew gradient in a sextupole", 0.0)}
    | PLACED | COILS | POLE_TIP | FSE | LIGHT | SLICES | FILES | TRACKED
    | _each("EDGE1_EFFECTS EDGE2_EFFECTS", lambda: _only("fringe fields have no kernel", 0.0))
)  # fmt: skip
KQUSE: Table = COMMON | LENGTH | {"K1": _used("k1"), "K2": _used("2 b3")} | PLACED | LIGHT | SLICES | TRACKED | {
    "FSE1": _used("a factor 1 + FSE1 on K1"), "FSE2": _used("a factor 1 + FSE2 on K2"),
    "MATRIX_TRACKING": _only("a matrix instead of the field", 0.0),
}  # fmt: skip
OCTU: Table = COMMON | LENGTH | {"K3": _used("6 b4")} | PLACED | FSE | {"ORDER": _only(MATRIX["ORDER"].note, 0.0, 3.0)}
KOCT: Table = (
    COMMON | LENGTH | {"K3": _used("6 b4")} | PLACED | COILS | POLE_TIP | FSE | LIGHT | SLICES | FILES | TRACKED
)
MULT: Table = COMMON | LENGTH | PLACED | LIGHT | SLICES | POLE_TIP | {
    "KNL": _used("integrated strength"), "ORDER": _used("its order", 1.0), "FACTOR": _used("a factor on KNL", 1.0),
}  # fmt: skip
EDGES: Table = {
    "E1": _used("entrance_angle"),
    "E2": _used("exit_angle"),
    "HGAP": _used("gap / 2"),
    "FINT": _used("fint_entrance, fint_exit", 0.5),
    "FINT1": _used("fint_entrance, instead of FINT from 0 on", -1.0),
    "FINT2": _used("fint_exit, instead of FINT from 0 on", -1.0),
    "EDGE1_EFFECTS": Attribute(1.0, True, "0: no edge, 1: as here; others have no kernel", (1.0, 0.0)),
    "EDGE2_EFFECTS": Attribute(1.0, True, "0: no edge, 1: as here; others have no kernel", (1.0, 0.0)),
    **_each("H1 H2", lambda: _only("curved pole faces have no kernel", 0.0)),
}
BENT: Table = (
    COMMON | LENGTH | EDGES | STILL | LIGHT
    | {
        "ANGLE": _used("angle"), "K1": _used("b2"), "K2": _used("2 b3"),
        "TILT": _only("a bend out of the plane has no kernel: the reference would turn with it", 0.0),
        "FSE": _only("a field that does not fit the angle", 0.0),
        "USE_BN": _only("strengths relative to the bend's: give K1, K2", 0.0),
    }
    | _each("B1 B2 B3 B4 B5 B6 B7 B8", lambda: _free("used by elegant with USE_BN alone"))
)  # fmt: skip
SBEN: Table = BENT | MATRIX | {
    "EDGE_ORDER": _only("second-order edges have no kernel", 0.0, 1.0),
    "TRANSPORT": _free("of second-order edges"),
}  # fmt: skip
CSBEND: Table = BENT | SLICES | FILES | TRACKED | {
    "K3": _used("6 b4"),
    **_each("K4 K5 K6 K7 K8", lambda: _only("beyond the octupole", 0.0)),
    **_each("F1 F2 F3 F4 F5 F6 F7 F8", lambda: _only("multipoles relative to the bend's field", 0.0)),
    **_each("FSE_DIPOLE FSE_QUADRUPOLE FSE_CORRECTION FSE_CORRECTION_VALUE XKICK YKICK",
            lambda: _only("a field that does not fit the angle", 0.0)),
    "XREFERENCE": _free("of the multipoles relative to the bend's field"),
    "NONLINEAR": Attribute(1.0, True, "0 is refused with K2 or K3: elegant would leave them out", (1.0, 0.0)),
    "EDGE_ORDER": _only("second-order edges have no kernel", 1.0),
    **_each("EDGE1_KICK_LIMIT EDGE2_KICK_LIMIT", lambda: _only("a limit on the kick of an edge", -1.0)),
    "KICK_LIMIT_SCALING": _free("of the limits on the kick of an edge"),
    "REFERENCE_CORRECTION": _only("a correction of the path", 0.0),
    "TRACKING_MATRIX": _free(STEPS),
    "ETILT_SIGN": _free("of ETILT"),
}  # fmt: skip
CSRCSBEND: Table = CSBEND | _each(
    "BINS BIN_ONCE BIN_RANGE_FACTOR SG_HALFWIDTH SG_ORDER SGDERIV_HALFWIDTH SGDERIV_ORDER OUTPUT_FILE OUTPUT_INTERVAL "
    "OUTPUT_LAST_WAKE_ONLY STEADY_STATE IGF CSR BLOCK_CSR DERBENEV_CRITERION_MODE PARTICLE_OUTPUT_FILE "
    "TRAPAZOID_INTEGRATION LOW_FREQUENCY_CUTOFF0 LOW_FREQUENCY_CUTOFF1 HIGH_FREQUENCY_CUTOFF0 HIGH_FREQUENCY_CUTOFF1 "
    "CLIP_NEGATIVE_BINS",
    lambda: _free(COLLECTIVE),
)
STEERER: Table = COMMON | LENGTH | LIGHT | {
    "TILT": _used("turns the kick"),
    "B2": _only("a sextupole in a steerer", 0.0),
    "EDGE_EFFECTS": _only("edges of a steerer have no kernel", 0.0),
    "ORDER": _free("of elegant's matrix of a kick"),
    "STEERING": _free("of orbit correction", 1.0),
    "LERAD": _free(RADIATION),
    **_each("DX DY DZ", lambda: _free("a kick is the same everywhere")),
}  # fmt: skip
KICK: Table = STEERER | {"KICK": _used("kick_x or kick_y"), "CALIBRATION": _used("a factor on KICK", 1.0)}
KICKER: Table = STEERER | {name: COILS[name] for name in ("HKICK", "VKICK", "HCALIBRATION", "VCALIBRATION")}
RFCA: Table = COMMON | LENGTH | {
    "VOLT": _used("voltage"),
    "FREQ": _used("frequency", 500e6),
    "PHASE": _free("the phase follows from the energy loss"),
    **_each("Q PHASE_REFERENCE CHANGE_T FIDUCIAL N_KICKS T_REFERENCE LOCK_PHASE", lambda: _free("of tracking alone")),
    "CHANGE_P0": _free("the energy is that of --energy-ev"),
    "LINEARIZE": _only("a cavity without its curvature", 0.0),
    **_each("END1_FOCUS END2_FOCUS", lambda: _only("focusing in a cavity has no kernel", 0.0)),
    "BODY_FOCUS_MODEL": _only("focusing in a cavity has no kernel", "", "NONE"),
    "STANDING_WAVE": _free("of focusing in a cavity"),
    **_each("DX DY", lambda: _free("a cavity has no transverse effect here")),
}  # fmt: skip
MONITOR: Table = (
    COMMON
    | LENGTH
    | _each(
        "DX DY WEIGHT TILT XCALIBRATION YCALIBRATION CALIBRATION XSETPOINT YSETPOINT SETPOINT ORDER XREADOUT YREADOUT "
        "READOUT CO_FITPOINT STORE_TURN_BY_TURN",
        lambda: _free(READING),
    )
)
DRIFT: Table = COMMON | LENGTH | {"ORDER": _free("of elegant's matrix of a drift")}
MARK: Table = COMMON | _each("DX DY FITPOINT", lambda: _free(OUTPUT))
MALIGN: Table = (
    COMMON
    | _each("DXP DYP DX DY DZ DT DP DE", lambda: _only("a jump of the beam has no kernel", 0.0))
    | _each(
        "ON_PASS STARTPID ENDPID FORCE_MODIFY_MATRIX FLOOR EXCLUDE_ORBIT",
        lambda: _free("without a jump there is no effect"),
    )
)
SOLENOID: Table = COMMON | LENGTH | _each("KS B", lambda: _only("a solenoid has no kernel", 0.0)) | _each(
    "DX DY DZ ORDER", lambda: _free("without a field there is no effect"))  # fmt: skip

#: Tables by elegant's names of the types.
TYPES: Mapping[str, Table] = {
    "DRIF": DRIFT, "EDRIFT": DRIFT, "MARK": MARK, "QUAD": QUAD, "KQUAD": KQUAD, "SEXT": SEXT, "KSEXT": KSEXT,
    "KQUSE": KQUSE, "OCTU": OCTU, "KOCT": KOCT, "MULT": MULT, "SBEN": SBEN,
    "RBEN": SBEN, "CSBEND": CSBEND, "CSRCSBEND": CSRCSBEND,
    "HKICK": KICK, "VKICK": KICK, "EHKICK": KICK, "EVKICK": KICK, "KICKER": KICKER, "EKICKER": KICKER, "RFCA": RFCA,
    "MONI": MONITOR, "HMON": MONITOR, "VMON": MONITOR, "MALIGN": MALIGN, "SOLE": SOLENOID,
}  # fmt: skip

#: Types whose attributes all say nothing about orbit and optics, with the reason; their length is kept.
PASSIVE: Mapping[str, str] = {
    "WATCH": OUTPUT, "HISTOGRAM": OUTPUT, "MHISTOGRAM": OUTPUT, "TRCOUNT": OUTPUT, "SLICE": OUTPUT,
    "RCOL": APERTURE, "ECOL": APERTURE, "SCRAPER": APERTURE, "MAXAMP": APERTURE, "PFILTER": APERTURE, "CLEAN": APERTURE,
    "PEPPOT": APERTURE, "TAPERAPC": APERTURE, "TAPERAPE": APERTURE, "TAPERAPR": APERTURE, "SPEEDBUMP": APERTURE,
    "CHARGE": COLLECTIVE, "RECIRC": "of tracking alone", "FLOOR": "of the floor plan", "SREFFECTS": RADIATION,
    "CSRDRIFT": COLLECTIVE, "LSCDRIFT": COLLECTIVE, "WAKE": COLLECTIVE, "TRWAKE": COLLECTIVE, "ZLONGIT": COLLECTIVE,
    "ZTRANSVERSE": COLLECTIVE, "RFMODE": COLLECTIVE, "TRFMODE": COLLECTIVE, "FRFMODE": COLLECTIVE,
    "FTRFMODE": COLLECTIVE, "IBSCATTER": COLLECTIVE,
    "TSCATTER": COLLECTIVE, "TFBPICKUP": COLLECTIVE, "TFBDRIVER": COLLECTIVE,
}  # fmt: skip

#: Types that act on the beam and have no counterpart. Listed so that a shortened name finds all that it may mean.
REFUSED = frozenset(
    word
    for line in (
        "ALPH BGGEXP BMAPXY BMXYZ BRAT BUMPER CCBEND CEPL CENTER CORGPIPE CWIGGLER DSCATTER EMATRIX EMITTANCE",
        "ENERGY FMULT FTABLE GFWIGGLER GKICKMAP HKPOLY ILMATRIX KICKMAP KPOLY LGBEND LMIRROR LSRMDLTR LTHINLENS",
        "MAGNIFY MAPSOLENOID MATR MATTER MBUMPER MODRF MRFDF NIBEND NISEPT POLYSERIES QFRING QUFRINGE RADIATION",
        "RAMPP RAMPRF REFLECT REMCOR RFCW RFDF RFTM110 RFTMEZ0 RIMULT ROTATE SAMPLE SCATTER SCMULT SCRIPT STRAY",
        "TAYLORSERIES TMCF TUBEND TWISS TWLA TWMTA TWPL UKICKMAP WIGGLER XKICKER",
    )
    for word in line.split()
)


def find_types(written: str) -> list[str]:
    """The types that a word may mean in elegant: the one of that name, else all that it begins or continues."""
    known = (*TYPES, *PASSIVE, *REFUSED)
    if written in known:
        return [written]
    return sorted(name for name in known if name.startswith(written) or written.startswith(name))


def find_attribute(table: Table, written: str) -> str | None:
    """An attribute as elegant finds it: by its name, or by its name without underscores."""
    if written in table:
        return written
    bare = written.replace("_", "")
    return next((name for name in table if name.replace("_", "") == bare), None)


def documentation() -> Iterator[str]:
    """The tables as lines of Markdown: attributes that are the same of several elements together."""
    rows: dict[str, list[str]] = {}
    for name, table in TYPES.items():
        for row in _rows(table):
            rows.setdefault(row, []).append(name)
    yield "| attribute | default | here | of |"
    yield "|---|---|---|---|"
    for row, names in rows.items():
        yield f"| {row} | {', '.join(names)} |"
    for reason in dict.fromkeys(PASSIVE.values()):
        yield f"| all but L | | no effect: {reason} | {', '.join(n for n, r in PASSIVE.items() if r == reason)} |"


def _rows(table: Table) -> Iterator[str]:
    groups: dict[tuple[object, ...], list[str]] = {}
    for name, attribute in table.items():
        key = (attribute.default, attribute.used, attribute.note, attribute.allowed)
        groups.setdefault(key if not attribute.used else (*key, name), []).append(name)
    for names in groups.values():
        attribute = table[names[0]]
        default = attribute.default if isinstance(attribute.default, str) else f"{attribute.default:g}"
        if attribute.used:
            here = attribute.note
        elif attribute.allowed is None:
            here = f"no effect: {attribute.note}"
        else:
            values = ", ".join(v if isinstance(v, str) else f"{v:g}" for v in attribute.allowed if v != "")
            here = f"refused{f' unless {values}' if values else ' when given'}: {attribute.note}"
        yield f"{', '.join(names)} | {default} | {here}"
