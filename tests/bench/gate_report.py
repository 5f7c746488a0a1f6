"""The page of evidence, docs/safety.md, and its pictures, from the results of all machines."""

import math
import platform
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from bench.gate_coverage import COVERAGES, PART_H
from bench.gate_machine import MachineResult, Plan
from bench.gate_pictures import draw_pictures
from bench.gate_rollback import BACK, DONE, ELSEWHERE, ENDS, FROZEN, NO_FAULT, RollbackCounts
from bench.gate_statistics import Coverage, median_interval, pooled, rate_interval

ROOT = Path(__file__).resolve().parents[2]
#: Corruptions that are made of files, tokens and sessions on disk, not at the gate's function.
RULES = {"none": "no gate", "limits": "drive limits alone", "gaussian": "2 sigma", "gate": "the gate, 99 %"}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of numbers: measure, target, result, whether it is reached."""

    measure: str
    target: str
    result: str
    reached: bool | None

    @property
    def cells(self) -> tuple[str, ...]:
        """Cells of the table."""
        verdict = {True: "reached", False: "**not reached**", None: "-"}[self.reached]
        return self.measure, self.target, self.result, verdict


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are right-aligned."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def percent(value: float, digits: int = 2) -> str:
    """A fraction in percent."""
    return "-" if math.isnan(value) else f"{100.0 * value:.{digits}f} %"


def total(parts: Iterable[dict[str, int]]) -> dict[str, int]:
    """Sum of counts."""
    found: dict[str, int] = {}
    for part in parts:
        for name, count in part.items():
            found[name] = found.get(name, 0) + count
    return found


@dataclass(frozen=True, eq=False)
class Evidence:
    """Results of all machines, and what they add up to."""

    plan: Plan
    results: Sequence[MachineResult]
    rollbacks: RollbackCounts
    took_s: float
    quick: bool

    def bins(self, coverage: float, learning: bool = False) -> dict[tuple[int, str, int], Coverage]:
        """Coverage of each machine's bins with at least 500 held-out commands, or all in a quick run."""
        least = 1 if self.quick else 500
        return {
            (r.seed, family, size): each
            for r in self.results
            for (family, size, nominal), each in (r.coverage.adapted if learning else r.coverage.counts).items()
            if nominal == coverage and each.tested >= least
        }

    def coverage_rows(self) -> list[Row]:
        rows = []
        for coverage in COVERAGES:
            bins = self.bins(coverage)
            outside = sum(not each.holds(len(bins)) for each in bins.values())
            realised, error, (expected, _) = pooled(list(bins.values()))
            rows.append(
                Row(
                    f"simultaneous coverage at {percent(coverage, 0)}, bin by bin",
                    f"all of {len(bins)} bins in the beta-binomial interval at 99 %",
                    f"{outside} outside",
                    outside == 0,
                )
            )
            rows.append(
                Row(
                    f"the same, pooled over {len(self.results)} machines",
                    "within 0.3 % of nominal",
                    f"{percent(realised)} +- {percent(error)} (k/(n+1): {percent(expected)})",
                    abs(realised - coverage) <= 0.003,
                )
            )
            learning = list(self.bins(coverage, learning=True).values())
            if learning:
                machines = sum(bool(r.coverage.adapted) for r in self.results)
                endless = sum(r.coverage.unbounded.get(coverage, 0) for r in self.results)
                tested = sum(each.tested for each in learning)
                realised, error, _ = pooled(learning)
                rows.append(
                    Row(
                        f"the same, while the shell learns from each step as in a replay, over {machines} machines",
                        "within 0.3 % of nominal",
                        f"{percent(realised)}; {percent(endless / tested)} of the commands wait for a new calibration",
                        abs(realised - coverage) <= 0.003,
                    )
                )
        return rows

    def width_row(self) -> Row:
        ours = np.array([w for r in self.results for ws in r.coverage.width.values() for w in ws])
        oracle = np.array([w for r in self.results for ws in r.coverage.oracle.values() for w in ws])
        ratio, low, high = median_interval(ours / oracle)
        of_medians = float(np.median(ours) / np.median(oracle))
        return Row(
            "median width of the band over that of an oracle",
            "at most 1.5",
            f"{of_medians:.2f}; median of the ratios {ratio:.2f} ({low:.2f} to {high:.2f})",
            of_medians <= 1.5,
        )

    def decision_rows(self) -> list[Row]:
        decisions = [r.decisions for r in self.results]
        unsafe, safe = sum(d.unsafe for d in decisions), sum(d.safe for d in decisions)
        accepted = total(d.unsafe_accepted for d in decisions).get("gate", 0)
        known = sum(d.known for d in decisions)
        rejected = total(d.safe_rejected for d in decisions).get("gate", 0)
        cases, wrong = (
            sum(total(getattr(r.corrupted, a) for r in self.results).values()) for a in ("cases", "accepted")
        )
        return [
            Row(
                "unsafe steps accepted", "0 of 20 000", f"{accepted} of {unsafe} (rate {_rate(accepted, unsafe)})",
                None if accepted == 0 and unsafe < 20_000 else accepted == 0,
            ),
            Row(
                "those of sizes and optics that were calibrated, which limits and bounds alone refuse",
                "all refused", f"{known - accepted} of {known} refused", accepted == 0 if known else None,
            ),
            Row(
                "corrupted commands accepted", "0 of 10 000", f"{wrong} of {cases} (rate {_rate(wrong, cases)})",
                wrong == 0,
            ),
            Row(
                "safe steps refused, at half the trust region", "at most 2 %",
                f"{rejected} of {safe}: {percent(rejected / max(safe, 1))} (rate {_rate(rejected, safe)})",
                rejected <= 0.02 * safe,
            ),
        ]  # fmt: skip

    def detection_row(self) -> Row:
        cases = total(r.detection.cases for r in self.results)
        found = total(r.detection.found for r in self.results)
        missed = sum(cases.values()) - sum(found.values())
        return Row(
            "faults of a step (effect of 3 band widths at least) found after it",
            "all",
            f"{sum(found.values())} of {sum(cases.values())}",
            missed == 0,
        )

    def rollback_row(self) -> Row:
        counts = self.rollbacks
        faults = counts.runs - counts.of(NO_FAULT)
        return Row(
            f"after a fault in {counts.runs} replays",
            "back within readback noise, or frozen with the operator called",
            f"of {faults} with a fault, back {counts.of(BACK)}, frozen {counts.of(FROZEN)}, fault after the last look "
            f"{counts.of(DONE)}, elsewhere {counts.of(ELSEWHERE)}",
            counts.of(ELSEWHERE) == 0,
        )

    def rollback_table(self) -> str:
        """Ends of the replays with a fault, by fault."""
        rows = [
            [fault, *(str(ends.get(end, 0)) for end in ENDS)] for fault, ends in sorted(self.rollbacks.ends.items())
        ]
        rows.append(["all", *(str(self.rollbacks.of(end)) for end in ENDS)])
        return table(["fault", *ENDS], rows)

    def remarks(self) -> list[str]:
        """Sentences below the table; empty ones where there is nothing to say."""
        return [self.growth_remark(), self.accepted_corruptions()]

    def growth_remark(self) -> str:
        """A sentence about coverage without the growth of the bands with the calibration's age."""
        parts = []
        for coverage in COVERAGES:
            seen = [r.coverage.without_growth[coverage] for r in self.results if coverage in r.coverage.without_growth]
            if seen:
                parts.append(percent(sum(s[1] for s in seen) / sum(s[0] for s in seen)))
        return (
            "Bands grow with the age of the calibration, held-out scores do not know it: with the bands of the first "
            f"moment, pooled coverage is {' and '.join(parts)}."
        )

    def time_rows(self) -> list[Row]:
        rows = []
        for name, wall, cpu, limit in (
            ("first tier, a whole decision", "first_s", "first_cpu_s", 5e-3),
            ("second tier, a band", "second_s", "second_cpu_s", 1.0),
        ):
            seconds, processor = (np.array([s for r in self.results for s in getattr(r, a)]) for a in (wall, cpu))
            if not seconds.size:
                continue
            (p50, p99), (c50, c99) = np.quantile(seconds, [0.5, 0.99]), np.quantile(processor, [0.5, 0.99])
            rows.append(
                Row(
                    f"time of {name}, {self.plan.ring}",
                    f"p99 under {1e3 * limit:g} ms",
                    f"p50 {1e3 * p50:.2f}, p99 {1e3 * p99:.2f} ms; processor time {1e3 * c50:.2f}, {1e3 * c99:.2f} ms",
                    bool(p99 < limit),
                )
            )
        return rows

    def rows(self) -> list[Row]:
        """The table of numbers."""
        return [
            *self.coverage_rows(), self.width_row(), *self.decision_rows(), self.detection_row(), self.rollback_row(),
            *self.time_rows(),
        ]  # fmt: skip

    def hours_table(self) -> str:
        """Coverage without learning, by the time since the calibration."""
        seen: dict[tuple[int, float], list[int]] = {}
        for result in self.results:
            for key, counts in result.coverage.hours.items():
                seen[key] = [a + b for a, b in zip(seen.get(key, [0, 0]), counts, strict=True)]
        rows = [
            [
                f"{PART_H * part:g} to {PART_H * (part + 1):g} h",
                *(percent(seen[part, coverage][1] / seen[part, coverage][0]) for coverage in COVERAGES),
                str(seen[part, COVERAGES[0]][0]),
            ]
            for part in sorted({part for part, _ in seen})
        ]
        header = ["after the calibration", *(f"at {percent(c, 0)}" for c in COVERAGES), "held out"]
        return table(header, rows)

    def family_table(self) -> str:
        """Coverage by family and size, pooled over the machines, with widths."""
        keys = sorted({(f, s) for r in self.results for f, s, _ in r.coverage.counts})
        rows = []
        for family, size in keys:
            cells = [family, str(size + 1)]
            for coverage in COVERAGES:
                bins = [r.coverage.counts[family, size, coverage] for r in self.results
                        if (family, size, coverage) in r.coverage.counts]  # fmt: skip
                low, high = min(b.realised for b in bins), max(b.realised for b in bins)
                realised = pooled(bins)[0]
                cells += [percent(realised), f"{percent(low, 1)} to {percent(high, 1)}"]
                if coverage == COVERAGES[0]:
                    tested = sum(b.tested for b in bins)
            ours, oracle, sigma = (
                [w for r in self.results for w in getattr(r.coverage, name).get((family, size), [])]
                for name in ("width", "oracle", "sigma")
            )
            gauss = [r.coverage.gaussian[family, size] for r in self.results if (family, size) in r.coverage.gaussian]
            inside, seen = sum(g[0] for g in gauss), sum(g[1] for g in gauss)
            cells += [
                str(tested),
                f"{1e3 * float(np.median(ours)):.1f}",
                f"{float(np.median(ours) / np.median(oracle)):.2f}",
                percent(inside / max(seen, 1), 1),
            ]
            del sigma
            rows.append(cells)
        header = ["family", "size", "at 95 %", "lowest to highest machine", "at 99 %", "lowest to highest machine",
                  "held out", "median width [um]", "over the oracle's", "inside 2 sigma"]  # fmt: skip
        return table(header, rows)

    def quantile_table(self) -> str:
        """Realised coverage: 5 % quantile over the machines' bins, and what theory says for such a calibration."""
        rows = []
        for coverage in COVERAGES:
            bins = list(self.bins(coverage).values())
            realised = np.array([b.realised for b in bins])
            rows.append(
                [percent(coverage, 0), percent(float(np.mean(realised))), percent(float(np.quantile(realised, 0.05))),
                 percent(float(realised.min())), percent(float(np.median([b.low_quantile() for b in bins])))]
            )  # fmt: skip
        header = ["nominal", "mean", "5 % quantile of the bins", "lowest bin", "5 % quantile by Beta(k, n+1-k)"]
        return table(header, rows)

    def ablation_table(self) -> str:
        """No gate, drive limits alone, 2 sigma, the gate."""
        decisions = [r.decisions for r in self.results]
        accepted, rejected = total(d.unsafe_accepted for d in decisions), total(d.safe_rejected for d in decisions)
        unsafe, safe = max(sum(d.unsafe for d in decisions), 1), max(sum(d.safe for d in decisions), 1)
        gauss = [g for r in self.results for g in r.coverage.gaussian.values()]
        sigma = [w for r in self.results for ws in r.coverage.sigma.values() for w in ws]
        gate = pooled(list(self.bins(0.99).values()))[0]
        ours = [w for r in self.results for ws in r.coverage.width_99.values() for w in ws]
        plain = sum(g[0] for g in gauss) / max(sum(g[1] for g in gauss), 1)
        coverage = {"none": "-", "limits": "-", "gaussian": percent(plain, 1), "gate": percent(gate)}
        width = {"none": "-", "limits": "-", "gaussian": f"{1e3 * float(np.median(sigma)):.1f}",
                 "gate": f"{1e3 * float(np.median(ours)):.1f}"}  # fmt: skip
        beyond = max(sum(d.beyond for d in decisions), 1)
        crossed = total(d.beyond_accepted for d in decisions)
        rows = [
            [label, coverage[rule], f"{accepted.get(rule, 0)} ({percent(accepted.get(rule, 0) / unsafe)})",
             f"{crossed.get(rule, 0)} ({percent(crossed.get(rule, 0) / beyond)})",
             f"{rejected.get(rule, 0)} ({percent(rejected.get(rule, 0) / safe)})", width[rule]]
            for rule, label in RULES.items()
        ]  # fmt: skip
        header = ["rule", "simultaneous coverage", f"of {unsafe} unsafe accepted",
                  f"of {beyond} beyond the gate's limits accepted", f"of {safe} safe refused",
                  "median width [um]"]  # fmt: skip
        return table(header, rows)

    def corrupted_table(self) -> str:
        """Corrupted commands, by kind."""
        cases = total(r.corrupted.cases for r in self.results)
        accepted = total(r.corrupted.accepted for r in self.results)
        rows = []
        for name in cases:
            reasons = total(r.corrupted.reasons.get(name, {}) for r in self.results)
            top = sorted(reasons, key=lambda code: -reasons[code])[:3]
            rows.append([name, str(cases[name]), str(accepted.get(name, 0)), ", ".join(f"`{code}`" for code in top)])
        return table(["corruption", "cases", "accepted", "most frequent reasons"], rows)

    def accepted_corruptions(self) -> str:
        """A sentence about the corrupted commands that were accepted; empty if there are none."""
        accepted = total(r.corrupted.accepted for r in self.results)
        found = [f"{name} {count}" for name, count in sorted(accepted.items()) if count]
        return f"Corrupted commands that were accepted, by kind: {', '.join(found)}." if found else ""

    def detection_table(self) -> str:
        """Faults that one step must show, by kind."""
        cases, found = total(r.detection.cases for r in self.results), total(r.detection.found for r in self.results)
        rows = [[name, str(cases[name]), str(found.get(name, 0))] for name in cases]
        healthy, alarms = sum(r.detection.healthy for r in self.results), sum(r.detection.alarms for r in self.results)
        rows.append(["none (steps of a healthy machine outside of the 99 % band)", str(healthy), str(alarms)])
        return table(["fault", "steps", "found after one step"], rows)

    def unsafe_table(self) -> str:
        """Unsafe steps by kind, and the reasons against them."""
        kinds = total(r.decisions.kinds for r in self.results)
        reasons = total(r.decisions.reasons for r in self.results)
        count = max(sum(kinds.values()), 1)
        why = [
            [f"`{code}`", percent(n / count, 1)] for code, n in sorted(reasons.items(), key=lambda each: -each[1])[:8]
        ]
        sole = total(r.decisions.sole for r in self.results)
        alone = [[f"`{code}`", str(n)] for code, n in sorted(sole.items(), key=lambda each: -each[1])]
        return "\n".join(
            (
                table(["unsafe steps", "number"], [[k, str(n)] for k, n in sorted(kinds.items())]),
                table(["reason", "part of the unsafe steps"], why),
                table(["the only reason", "unsafe steps"], alone),
            )
        )


def _rate(hits: int, trials: int) -> str:
    low, high = rate_interval(hits, trials)
    return f"below {high:.2g} at 95 % confidence" if hits == 0 else f"{low:.2g} to {high:.2g} at 95 % confidence"


def described_host() -> str:
    """Processor, number of cores and load of the computer."""
    import os

    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    ) if Path("/proc/cpuinfo").exists() else platform.machine()  # fmt: skip
    load = os.getloadavg()[1] if hasattr(os, "getloadavg") else math.nan
    versions = f"Python {platform.python_version()}, numpy {np.__version__}"
    return f"{os.cpu_count()} cores of {model}, load {load:.1f}, {versions}"


def page(evidence: Evidence, folder: Path, remarks: Sequence[str]) -> str:
    """The text of docs/safety.md, with pictures written into `folder`."""
    pictures = draw_pictures(evidence, folder)
    plan, results = evidence.plan, evidence.results
    seeds = ", ".join(str(result.seed) for result in results)
    remanence = [r.remanence for r in results]
    counts = plan.counts
    bins = len({(f, s) for f, s, _ in results[0].coverage.counts})
    numbers = table(["measure", "target", "measured", ""], [row.cells for row in evidence.rows()])
    return (
        (Path(__file__).parent / "gate_page.md")
        .read_text(encoding="utf-8")
        .format(
            date=time.strftime("%Y-%m-%d", time.gmtime()),
            host=described_host(),
            took=f"{evidence.took_s / 60.0:.0f} minutes of all processes together",
            ring=plan.ring,
            machines=len(results),
            seeds=seeds,
            fitted=counts.fitted * bins,
            calibrated=counts.calibrated,
            tested=counts.tested,
            total_calibrated=(counts.fitted + counts.calibrated) * bins,
            total_tested=counts.tested * bins,
            bins=bins,
            low=f"{min(remanence):.2g}",
            high=f"{max(remanence):.2g}",
            numbers=numbers,
            remarks="".join(f"- {remark}\n" for remark in (*remarks, *evidence.remarks()) if remark),
            families=evidence.family_table(),
            hours=evidence.hours_table(),
            quantiles=evidence.quantile_table(),
            ablation=evidence.ablation_table(),
            unsafe=evidence.unsafe_table(),
            corrupted=evidence.corrupted_table(),
            detection=evidence.detection_table(),
            rollbacks=evidence.rollback_table(),
            pictures={name: f"![{alt}]({path})" for name, (alt, path) in pictures.items()},
        )
    )
