"""Effects of faults on a command: decided for the whole command together, in fixed stages (docs/decisions/0067)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from gnomon.fault_injection.draws import Draws, Lane
from gnomon.fault_injection.injected_fault import Fault
from gnomon.fault_injection.kinds.commands import (
    Abandon,
    Acknowledge,
    CommandFault,
    Delay,
    Duplicate,
    ModifyingFault,
    PartialGroup,
    PartialSupply,
    Refuse,
    Reorder,
    Swap,
    Unacknowledged,
)
from gnomon.lattice import Lattice, Outcome, Setting

Settings = tuple[Setting, ...]


class Hold(NamedTuple):
    """A command that is held until its fault releases it, or its delay is over."""

    fault_id: int
    depth: int


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision about a command: all of its settings together.

    `settings` are to be applied after `delay_s` [s], or when `hold` is released before; a command that is lost or
    refused has none. `fault_ids` are the faults that acted, `reason` describes them for the journal. `refusal` is what
    the client is told if the outcome is rejected; without `reply` it is told nothing, ever. `readbacks` are shown as if
    they had acted. `duplicates` are the times [s] after which the settings act once more, each with its fault's text.
    `releases` are the faults whose held command acts after this one.
    """

    outcome: Outcome
    settings: Settings
    delay_s: float = 0.0
    fault_ids: tuple[int, ...] = ()
    reason: str = ""
    refusal: str = ""
    reply: bool = True
    readbacks: Settings = ()
    duplicates: tuple[tuple[float, str], ...] = ()
    hold: Hold | None = None
    releases: tuple[int, ...] = ()


#: A fault of a command, and its request.
Acting = tuple[Fault, CommandFault]


def decide(acting: Iterable[Fault], sequence: int, lattice: Lattice, settings: Settings, draws: Draws) -> Decision:
    """Apply faults to the command with number `sequence`; pure. Each of them matches one of its settings or more.

    1. Refuse wins: the refusing fault with the lowest id acts, and no other fault does.
    2. Unacknowledged withholds the reply, whatever else happens.
    3. Abandon and acknowledge: that with the lowest id acts, and nothing reaches the machine.
    4. Modify, polarity, quantise, clip, swap and the partial kinds act on the settings that they match, in the order of
       their ids, each on what the one before left.
    5. Delays add up; a fault that matches several settings delays the command once. Of reorders, the one with the
       lowest id acts.
    6. Duplicates repeat what is left.

    The outcome is rejected, else abandoned (lost, or nothing left), else modified if what is applied is not what was
    asked for, else delayed, else applied.
    """
    faults = sorted(
        ((fault, fault.request) for fault in acting if isinstance(fault.request, CommandFault)),
        key=lambda pair: pair[0].id,
    )
    silent = [fault for fault, request in faults if isinstance(request, Unacknowledged)]
    for fault, request in faults:
        if isinstance(request, Refuse):
            named = ", ".join(dict.fromkeys(s.pv for s in settings if request.matches(s.device, s.property)))
            text = f"{named}: {request.message}"
            return Decision(
                Outcome.REJECTED, (), fault_ids=(fault.id,), reason=f"{fault.describe()}: {text}", refusal=text
            )
    for fault, request in faults:
        if isinstance(request, Abandon | Acknowledge):
            readbacks = settings if isinstance(request, Acknowledge) else ()
            return _told((*silent, fault), Decision(Outcome.ABANDONED, (), readbacks=readbacks, reply=not silent))
    acted, changed = _changed(faults, sequence, lattice, settings, draws)
    if not changed:
        return _told((*silent, *acted), Decision(Outcome.ABANDONED, (), reply=not silent))
    delay_s, hold, duplicates, texts = 0.0, None, [], {}
    for fault, request in faults:
        match request:
            case Delay():
                own_s = delay_of(request, fault.id, sequence, draws)
                if request.distribution != "fixed":
                    texts[fault.id] = f"{own_s:.6g} s"
                delay_s += own_s
            case Reorder() if hold is None:
                hold = Hold(fault.id, request.depth)
                delay_s += request.within_s
            case Duplicate():
                duplicates.append((request.delay_s, fault.describe()))
            case _:
                continue
        acted.append(fault)
    outcome = Outcome.APPLIED if delay_s == 0.0 else Outcome.DELAYED
    if changed != settings:
        outcome = Outcome.MODIFIED
    decision = Decision(outcome, changed, delay_s, reply=not silent, hold=hold, duplicates=tuple(duplicates))
    return _told((*silent, *acted), decision, texts)


def delay_of(request: Delay, fault: int, sequence: int, draws: Draws) -> float:
    """The delay of one command [s]."""
    mean = request.delay_s or 0.0
    match request.distribution:
        case "uniform":
            share = draws.uniform(fault, sequence, Lane.DELAY)
            return request.low_s + share * (request.high_s - request.low_s)
        case "exponential":
            drawn = draws.exponential(fault, sequence, Lane.DELAY, mean)
            return min(max(drawn, request.low_s), request.high_s)
        case "normal":
            sigma = request.sigma_s or 0.0
            return draws.normal_between(fault, sequence, Lane.DELAY, mean, sigma, request.low_s, request.high_s)
        case _:
            return mean


def _changed(
    faults: Sequence[Acting], sequence: int, lattice: Lattice, settings: Settings, draws: Draws
) -> tuple[list[Fault], Settings]:
    """Let the faults that change settings act; returns those that did, and what is left."""
    acted: list[Fault] = []
    for fault, request in faults:
        matching = [s for s in settings if request.matches(s.device, s.property)]
        if not matching:  # what it matched is lost or swapped away
            continue
        match request:
            case ModifyingFault():
                settings = tuple(
                    replace(s, value=request.modified(s.value)) if request.matches(s.device, s.property) else s
                    for s in settings
                )
            case Swap():
                settings = tuple(
                    replace(s, device=request.swapped(s.device)) if request.matches(s.device, s.property) else s
                    for s in settings
                )
            case PartialGroup():
                lots = draws.uniforms(fault.id, sequence, Lane.SHARE, len(matching))
                lost = {(s.device, s.property) for s, lot in zip(matching, lots, strict=True) if lot < request.lost}
                settings = tuple(s for s in settings if (s.device, s.property) not in lost)
            case PartialSupply():
                if not (kept := _kept(request, lattice, settings, matching)):
                    continue
                settings += kept
            case _:
                continue
        acted.append(fault)
    return acted, settings


def _kept(request: PartialSupply, lattice: Lattice, settings: Settings, matching: Sequence[Setting]) -> Settings:
    """Settings that keep the field of the magnets that a supply's new current does not reach."""
    own = {(s.device, s.property) for s in settings}
    ring = lattice.ring
    kept: list[Setting] = []
    for setting in matching:
        if setting.property != "current":
            continue
        magnets = {magnet.name: magnet for magnet in ring.magnets if magnet.supply == setting.device}
        for name in request.behind(list(magnets)):
            key = (name, magnets[name].main)
            if key not in own:
                kept.append(Setting(setting.pv, *key, lattice[key]))
    return tuple(kept)


def _told(acted: Iterable[Fault], decision: Decision, texts: dict[int, str] | None = None) -> Decision:
    """Say in the decision which faults acted, and with what drawn numbers."""
    faults = sorted(acted, key=lambda fault: fault.id)
    drawn = {number: f" ({text})" for number, text in (texts or {}).items()}
    reason = "; ".join(fault.describe() + drawn.get(fault.id, "") for fault in faults)
    return replace(decision, fault_ids=tuple(fault.id for fault in faults), reason=reason)
