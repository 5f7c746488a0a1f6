"""The classes of elements in MAD-X 5.09, and which attributes act on the beam in its `twiss`.

What acts is read, or must have the value that stands here; all other attributes of a class have no effect on orbit,
optics and length in MAD-X (tests compare each with MAD-X at 0, 1 and 1e-3).
"""

from collections.abc import Mapping
from dataclasses import dataclass

#: Attributes of all classes, without effect.
COMMON = frozenset(
    """aper_offset aper_tilt aper_tol aper_vx aper_vy aperture apertype assembly_id calib comments dphi dpsi ds dtheta
    dx dy exact fringe kill_ent_fringe kill_exi_fringe kmax kmin lrad magnet mech_sep method model nst polarity slice
    slot_id tilt type v_pos frngmax n_bessel thick""".split()  # noqa: SIM905 as a list it would be 40 lines
)
#: Attributes that are texts.
TEXTS = frozenset({"apertype", "type", "comments", "refer", "refpos", "from", "particle", "lfile", "tfile", "sequence",
                   "next_sequ", "f3string", "eltype", "period", "file"})  # fmt: skip


@dataclass(frozen=True, slots=True)
class ElementClass:
    """Attributes that a class reads, that have no effect in it, and that must not have one (these must be 0)."""

    read: frozenset[str]
    idle: frozenset[str] = frozenset()
    zero: frozenset[str] = frozenset()

    @property
    def attributes(self) -> frozenset[str]:
        """Attributes that MAD-X knows in this class."""
        return self.read | self.idle | self.zero | COMMON | {"l"}


def _class(read: str, idle: str = "", zero: str = "") -> ElementClass:
    return ElementClass(frozenset(read.split()), frozenset(idle.split()), frozenset(zero.split()))


_FACES = "e1 e2 f1 f2 h1 h2 fint fintx hgap"
_BEND = _class(
    "angle tilt k0 k1 k2 e1 e2 hgap fint fintx",
    "k0s k1s k2s k3 k3s fcsr slice_straight true_rbend rbend_length add_angle f1 f2",
    "h1 h2 ktap knl ksl kill_ent_fringe kill_exi_fringe",
)
_WAVE = "freq lag lagf harmon betrf pg shunt tfill eloss volterr lagerr nbin binmax lfile tfile no_cavity_totalpath"
_EMPTY = _class("")

CLASSES: Mapping[str, ElementClass] = {
    "drift": _class("", "rbend_length"),
    "marker": _EMPTY,
    **dict.fromkeys(("monitor", "hmonitor", "vmonitor", "instrument", "placeholder", "imonitor"), _EMPTY),
    **dict.fromkeys(("blmonitor", "slmonitor"), _EMPTY),
    "collimator": _class("", "xma yma l_int l_phy closed_orbit", "current"),
    **dict.fromkeys(("ecollimator", "rcollimator"), _class("", "xsize ysize")),
    "quadrupole": _class("k1 k1s tilt ktap", _FACES, "k0 knl ksl"),
    "sextupole": _class("k2 k2s tilt ktap", _FACES, "knl ksl"),
    "octupole": _class("k3 k3s tilt ktap", _FACES, "knl ksl"),
    "multipole": _class("knl ksl tilt lrad", "noise noisemax npeak ntune nlag time_var", "ktap angle ksi"),
    "sbend": _BEND,
    "rbend": _BEND,
    "kicker": _class("hkick vkick tilt chkick cvkick", "chflag cvflag", "sinkick sinpeak sintune sinphase"),
    "tkicker": _class("hkick vkick tilt chkick cvkick", "chflag cvflag"),
    "hkicker": _class("kick hkick tilt chkick", "chflag", "sinkick sinpeak sintune sinphase"),
    "vkicker": _class("kick vkick tilt cvkick", "cvflag", "sinkick sinpeak sintune sinphase"),
    "rfcavity": _class("volt freq lag harmon", "lagtap betrf pg shunt tfill eloss volterr lagerr modulationq ramp1 "
                       "ramp2 ramp3 ramp4 binmax nbin lfile tfile no_cavity_totalpath time_var", "fringe"),
    "solenoid": _class("", f"xtilt rot_start {_FACES}", "ks ksi knl ksl"),
    "dipedge": _class("", "e1 he hgap fint entrance", "h"),
    "elseparator": _class("", "", "ex ey ex_l ey_l"),
    "beambeam": _class("", "", "bbshape sigx sigy xma yma width angle copx copy alfxs alfys dxs dys dpxs dpys "
                       "sigts siges cot copt cox coy long_coup_off bbdir charge npart spacecharge bb_sc"),
    "crabcavity": _class("", f"{_WAVE} rv1 rv2 rv3 rv4 rph1 rph2", "volt"),
    "rfmultipole": _class("", f"{_WAVE} noise noisemax npeak ntune nlag pnl psl", "volt knl ksl"),
    "twcavity": _class("", f"{_WAVE} psi delta_lag", "volt"),
    **dict.fromkeys(("hacdipole", "vacdipole"), _class("", f"{_WAVE} ramp1 ramp2 ramp3 ramp4", "volt")),
    "nllens": _class("", "cnll", "knll"),
    "translation": _class("", "", "dx dy ds"),
    **dict.fromkeys(("xrotation", "yrotation", "srotation"), _class("", "", "angle")),
    "changeref": _class("", "misexit", "patch_ang patch_trans"),
    "changerefp0": _class("", "", "p0"),
    "wire": _class("", "xma yma l_int l_phy closed_orbit", "current"),
    "thinwire": _class("", "xma yma", "ilnorm"),
    "sixmarker": _class("", "f3string f3vector eltype attr"),
    "matrix": _class("", "time_var", "l " + " ".join(
        [f"kick{i}" for i in range(1, 7)]
        + [f"rm{i}{j}" for i in range(1, 7) for j in range(1, 7)]
        + [f"tm{i}{j}{k}" for i in range(1, 7) for j in range(1, 7) for k in range(1, 7)]
    )),
}  # fmt: skip

#: Attributes of `zero` that have no effect at another value.
NEUTRAL = {f"rm{i}{i}": 1.0 for i in range(1, 7)}
