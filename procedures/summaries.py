"""Outcomes in a few lines for people: name, value, standard deviation and unit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gnomon.procedures.documents import Run
from gnomon.procedures.registry import PROCEDURES, typed

__all__ = ["Line", "summarise"]


#: Beta functions of so many knobs are listed one by one.
MAX_KNOBS = 12


class Line(NamedTuple):
    """A line about an outcome."""

    name: str
    value: str
    unit: str = ""


def summarise(run: Run) -> Sequence[Line]:
    """Summarise a run's outcome."""
    if run.outcome is None:
        return [Line(run.status, run.reason)]
    if run.procedure not in _SUMMARIES:
        return _of_script(run)
    lines: Sequence[Line] = _SUMMARIES[run.procedure](typed(run)[2])
    return lines


def _of_script(run: Run) -> list[Line]:
    """Show what a user's script found: numbers and texts as they are, of arrays the rms; units if it is loaded."""
    found = run.outcome or {}
    known = PROCEDURES[run.procedure].outcome.model_fields if run.procedure in PROCEDURES else {}
    lines = []
    for name, value in found.items():
        extra = known[name].json_schema_extra if name in known else None
        unit = str(extra.get("unit", "")) if isinstance(extra, Mapping) else ""
        if isinstance(value, bool | str) or value is None:
            lines.append(Line(name, str(value)))
        elif isinstance(value, int | float):
            lines.append(Line(name, f"{value:.6g}", unit))
        elif isinstance(value, Sequence) and (numbers := _numbers(value)).size:
            lines.append(Line(f"{name}, rms of {numbers.size}", f"{np.sqrt(np.nanmean(numbers**2)):.6g}", unit))
    return lines[:MAX_KNOBS]


def _numbers(values: Sequence[Any]) -> Any:
    try:
        return np.array(values, dtype=float)
    except (TypeError, ValueError):
        return np.array([])


def _pm(value: float, error: float) -> str:
    """Show a value with the digits that its standard deviation leaves."""
    if not np.isfinite(error) or error <= 0.0:
        return f"{value:.6g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def _orm(found: Any) -> list[Line]:
    unit = f"mm/{found.setting_unit}"
    lines = [Line("steerers, monitors", f"{len(found.steerers)}, {len(found.monitors)}")]
    for plane in "xy":
        values, errors = getattr(found, plane), getattr(found, f"{plane}_error")
        lines.append(Line(f"largest response {plane}", f"{np.nanmax(np.abs(values)):.4g}", unit))
        if np.isfinite(errors).any():
            lines.append(Line(f"median error {plane}", f"{np.nanmedian(errors):.2g}", unit))
    noise = [np.nanmedian(each) for each in (found.noise_x_mm, found.noise_y_mm) if np.isfinite(each).any()]
    if noise:
        # To a picometre: below it are the last digits of the numbers.
        lines.append(Line("scatter about the fit", ", ".join(f"{round(1e3 * each, 6):.2g}" for each in noise), "um"))
    return lines


def _dispersion(found: Any) -> list[Line]:
    lines = []
    for plane in "xy":
        values, errors = getattr(found, f"{plane}_m"), getattr(found, f"{plane}_error_m")
        lines.append(Line(f"largest dispersion {plane}", f"{np.nanmax(np.abs(values)):.4g}", "m"))
        lines.append(Line(f"rms dispersion {plane}", f"{np.sqrt(np.nanmean(values**2)):.4g}", "m"))
        if np.isfinite(errors).any():
            lines.append(Line(f"median error {plane}", f"{np.nanmedian(errors):.2g}", "m"))
    return [*lines, Line("common factor", f"1 ± {found.scale_error:.2g}")]


def _chromaticity(found: Any) -> list[Line]:
    lines = []
    for row, plane in enumerate("xy"):
        lines.append(Line(f"tune {plane}", _pm(found.tune[row], found.tune_error[row])))
        lines.append(Line(f"chromaticity {plane}", _pm(found.chromaticity[row], found.chromaticity_error[row])))
        lines.append(Line(f"second derivative {plane}", _pm(found.second[row], found.second_error[row])))
    return [*lines, Line("common factor", f"1 ± {found.scale_error:.2g}")]


def _tune_response(found: Any) -> list[Line]:
    unit = f"1/{found.setting_unit}"
    return [
        Line(f"{name} {plane}", _pm(found.tune[row, k], found.tune_error[row, k]), unit)
        for k, name in enumerate(found.supplies)
        for row, plane in enumerate("xy")
    ]


def _alignment(found: Any) -> list[Line]:
    lines = [Line("quadrupoles, monitors beside them", f"{len(found.quadrupoles)}, {sum(map(bool, found.monitors))}")]
    for plane in "xy":
        position, offset = getattr(found, f"{plane}_mm"), getattr(found, f"offset_{plane}_mm")
        lines.append(Line(f"beam in quadrupoles {plane}, rms", f"{1e3 * np.sqrt(np.nanmean(position**2)):.3g}", "um"))
        if np.isfinite(offset).any():
            error = 1e3 * np.nanmedian(getattr(found, f"offset_{plane}_error_mm"))
            lines.append(Line(f"offsets of monitors {plane}, rms", f"{1e3 * np.sqrt(np.nanmean(offset**2)):.3g}", "um"))
            lines.append(Line(f"error of an offset {plane}, median", f"{error:.2g}", "um"))
    return lines


def _changes(found: Any) -> list[Line]:
    names = getattr(found, "steerers", None) or found.supplies
    largest = int(np.argmax(np.abs(found.changes)))
    return [Line("largest change", f"{names[largest]} {found.changes[largest]:+.5g}", found.setting_unit)]


def _orbit(found: Any) -> list[Line]:
    before, after = ((f"x {1e3 * x:.4g}, y {1e3 * y:.4g}") for x, y in (found.rms_before_mm, found.rms_expected_mm))
    lines = [Line("rms orbit", before, "um"), Line("rms orbit expected", after, "um"), *_changes(found)]
    if found.rf_change_khz:
        lines.append(Line("RF frequency", f"{1e3 * found.rf_change_khz:+.4g}", "Hz"))
    lines.append(Line("directions used", f"{found.directions} of {len(found.singular_values)}"))
    return [*lines, Line("at their limits", ", ".join(found.at_limit) or "none")]


def _working_point(found: Any) -> list[Line]:
    lines = [
        Line(f"{found.kind} {plane} expected", f"{found.expected[row]:.5f} ({found.missing[row]:+.5f})")
        for row, plane in enumerate("xy")
    ]
    return [*lines, *_changes(found), Line("at their limits", ", ".join(found.at_limit) or "none")]


def _bump(found: Any) -> list[Line]:
    return [
        Line("leak expected", f"{found.leak:.2%}"),
        Line("leak measured", f"{found.measured_leak:.2%}"),
        *_changes(found),
    ]


def _optics_fit(found: Any) -> list[Line]:
    lines = []
    for row, plane in enumerate("xy"):
        beating, error = (np.sqrt(np.nanmean(each[row] ** 2)) for each in (found.beating, found.beating_error))
        lines.append(Line(f"beta beating {plane}, rms", f"{beating:.2%} ± {error:.2%}"))
    lines += [Line(f"tune {plane} of the fitted model", f"{found.tune[row]:.5f}") for row, plane in enumerate("xy")]
    lines.append(Line("largest gradient error", _largest(found.knobs, found.gradient, found.gradient_error)))
    lines.append(Line("gains of monitors, rms from their mean", f"{np.std(found.monitor_gain):.2%}"))
    lines.append(Line("gains of steerers, rms from their mean", f"{np.std(found.steerer_gain):.2%}"))
    lines.append(Line("readings over their errors, rms", f"{found.residual_before:.3g} -> {found.residual:.3g}"))
    done = "" if found.converged else ", not converged: allow more"
    return [*lines, Line("steps", f"{found.steps}{done}")]


def _largest(names: tuple[str, ...], values: Any, errors: Any) -> str:
    number = int(np.argmax(np.abs(values)))
    return f"{names[number]} {values[number]:+.3%} ± {errors[number]:.3%}"


def _optics(found: Any) -> list[Line]:
    lines = [
        Line(f"beta beating {plane}, rms", f"{before:.2%} -> {after:.2%} expected")
        for plane, before, after in zip("xy", found.beating_before, found.beating_expected, strict=True)
    ]
    return [*lines, *_changes(found), Line("at their limits", ", ".join(found.at_limit) or "none")]


def _beta(found: Any) -> list[Line]:
    if len(found.knobs) <= MAX_KNOBS:
        lines = [
            Line(f"beta {plane} in {name}", _pm(value, error) + f" (model {model:.4g})", "m")
            for plane in "xy"
            for name, value, error, model in zip(
                found.knobs,
                *(getattr(found, field.format(plane)) for field in ("beta_{}_m", "beta_{}_error_m", "model_{}_m")),
                strict=True,
            )
        ]
    else:
        lines = [Line("quadrupoles", f"{len(found.knobs)}")]
        for plane in "xy":
            beating = getattr(found, f"beating_{plane}")
            error = np.median(getattr(found, f"beta_{plane}_error_m") / getattr(found, f"beta_{plane}_m"))
            lines.append(Line(f"beta beating {plane}, rms", f"{np.sqrt(np.mean(beating**2)):.2%} ± {error:.2%}"))
    worst = f"x {np.abs(found.tune_left[0]).max():.1e}, y {np.abs(found.tune_left[1]).max():.1e}"
    return [*lines, Line("largest tune change left behind", worst)]


def _lifetime(found: Any) -> list[Line]:
    lines = [Line("lifetime", _pm(found.lifetime_h, found.lifetime_error_h), "h")]
    if not np.isfinite(found.lifetime_h) or found.lifetime_error_h > 0.3 * found.lifetime_h:
        lines.append(Line("at least", f"{found.lowest_h:.4g}", "h"))
    if np.isfinite(found.shown_h):
        lines.append(Line("the machine shows", f"{found.shown_h:.4g}", "h"))
    lines.append(Line("current", f"{found.current_ma:.5g}", "mA"))
    lines.append(Line("measured for", f"{found.duration_s:.3g}", "s"))
    return [*lines, Line("injections cut out", f"{found.injections}")] if found.injections else lines


def _aperture(found: Any) -> list[Line]:
    lines = []
    for side, name in enumerate(("low", "high")):
        lines.append(Line(f"{name} side: reached", f"{found.reached_mm[side]:.4g}", "mm"))
        if np.isfinite(found.wall_mm[side]):
            limit = _pm(found.at_lifetime_mm[side], found.at_lifetime_error_mm[side])
            lines.append(Line(f"{name} side: lifetime {found.lifetime_h:g} h at", limit, "mm"))
            lines.append(Line(f"{name} side: wall", _pm(found.wall_mm[side], found.wall_error_mm[side]), "mm"))
            lines.append(Line(f"{name} side: orbit at the top of the bump then", f"{found.top_mm[side]:.4g}", "mm"))
        lines.append(Line(f"{name} side: ended", found.ends[side]))
    if np.isfinite(found.full_mm):
        lines.append(Line("from wall to wall", f"{found.full_mm:.4g}", "mm"))
    return lines


def _losses(found: Any) -> list[Line]:
    lines = [
        Line("points, with losses, lost", f"{len(found.rate)}, {found.has_losses.sum():g}, {found.lost.sum():g}"),
        Line("rate of losses elsewhere", f"{found.base_rate:.3g}", "1/s"),
    ]
    lines += [
        Line(name, _pm(rate, error), "1/s")
        for name, rate, error in zip(found.resonances, found.resonance_rate, found.resonance_rate_error, strict=True)
    ]
    if found.resonances:
        lines.append(Line("width of the resonances", f"{found.width:.2g}"))
    lines.append(Line("points with losses, unexplained", f"{found.unexplained}"))
    return [*lines, Line("ended early", found.end)] if found.end else lines


_SUMMARIES: dict[str, Callable[[Any], list[Line]]] = {
    "orm": _orm,
    "dispersion": _dispersion,
    "chromaticity": _chromaticity,
    "tune-response": _tune_response,
    "bba": _alignment,
    "orbit": _orbit,
    "working-point": _working_point,
    "bump": _bump,
    "optics-fit": _optics_fit,
    "optics": _optics,
    "beta": _beta,
    "lifetime": _lifetime,
    "aperture": _aperture,
    "losses": _losses,
}
