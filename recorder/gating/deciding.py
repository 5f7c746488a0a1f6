"""The decision of the gate about one command: a pure function, which fails closed and keeps every reason.

It is not machine protection and must not be counted as such.
"""

import math
from collections.abc import Callable, Iterator

from gnomon.recorder.bounds import Predicts
from gnomon.recorder.gating.authority_checks import check_approved, check_armed, check_clock, check_machine
from gnomon.recorder.gating.bound_checks import ModelResult, check_calibration, check_model
from gnomon.recorder.gating.command_checks import (
    check_allowed,
    check_conversion,
    check_cumulated,
    check_finite,
    check_rate,
    check_static,
    check_step,
    check_trust_region,
    check_unit,
)
from gnomon.recorder.gating.history import History
from gnomon.recorder.gating.limits import Limits
from gnomon.recorder.gating.reasons import Code, Reason
from gnomon.recorder.gating.situation import Situation
from gnomon.recorder.gating.state_checks import (
    check_baseline,
    check_beam,
    check_fresh,
    check_monitors,
    check_orbit,
    check_readings,
    check_start,
)
from gnomon.recorder.gating.verdict import Authority, GateCommand, MachineState, Verdict

__all__ = ["CHECKS", "decide"]

Check = Callable[[Situation], Iterator[Reason]]

#: All checks that need no model, the cheapest first.
CHECKS: tuple[Check, ...] = (
    check_armed,
    check_clock,
    check_machine,
    check_approved,
    check_allowed,
    check_finite,
    check_unit,
    check_conversion,
    check_fresh,
    check_readings,
    check_monitors,
    check_start,
    check_baseline,
    check_orbit,
    check_beam,
    check_static,
    check_step,
    check_trust_region,
    check_rate,
    check_cumulated,
    check_calibration,
)

#: With one of these reasons, the model is not asked: there is nothing to ask it about.
NOTHING_TO_ASK = frozenset({Code.NOT_FINITE, Code.CONVERSION, Code.DEAD_MONITORS, Code.FAILED_CHECK})


def decide(
    command: GateCommand,
    state: MachineState,
    predictor: Predicts | None,
    limits: Limits | None,
    history: History,
    authority: Authority,
) -> Verdict:
    """Decide whether a command may be written to the machine in its present state.

    All checks are made and all reasons kept. Without limits, everything is refused. Never raises: a check or a model
    that fails is a reason against the command.
    """
    if limits is None:
        text = "there is no limits file; name one as gate.limits in ioc_config.yaml"
        return Verdict((Reason(Code.MISSING_LIMIT, text),))
    try:
        at = Situation(command, state, predictor, limits, history, authority)
        not_checked = limits.not_checked
    except Exception as error:  # noqa: BLE001 - whatever fails refuses
        return Verdict((_failed("the command", error),))
    reasons: list[Reason] = []
    for check in CHECKS:
        try:
            reasons += check(at)
        except Exception as error:  # noqa: BLE001 - whatever fails refuses
            reasons.append(_failed(check.__name__, error))
    model = ModelResult(margin=math.nan)
    if predictor is not None and not any(reason.code in NOTHING_TO_ASK for reason in reasons):
        try:
            model = check_model(at, predictor)
        except Exception as error:  # noqa: BLE001 - whatever fails refuses
            model.reasons.append(_failed("the model", error))
        reasons += model.reasons
    return Verdict(tuple(dict.fromkeys(reasons)), tuple(model.bands), model.margin, not_checked)


def _failed(name: str, error: Exception) -> Reason:
    return Reason(Code.FAILED_CHECK, f"{name} failed: {type(error).__name__}: {error}")
