"""The evidence for the safety gate: `make bench-gate`, or `PYTHONPATH=tests python -m bench.gate`.

Measures imperfect machines side by side in processes, writes the results of each to gate_results/ as they come, and at
the end docs/safety.md. A run that was ended goes on where it was with --resume.
"""

import argparse
import os
import pickle
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from bench.gate_coverage import Counts  # noqa: E402
from bench.gate_machine import MachineResult, Plan, measure_machine  # noqa: E402
from bench.gate_report import ROOT, Evidence, page, table  # noqa: E402
from bench.gate_rollback import RollbackCounts, replay_with_faults  # noqa: E402

#: 15 bins: 22 + 299 commands in each, with the response of 180 settings, make the 5 000 of the calibration, 667 in each
#: the 10 000 that are held out; 20 machines make 20 000 unsafe steps and 10 000 corrupted commands.
FULL = Plan(
    "bessy2", Counts(22, 299, 667), unsafe=1000, safe=500, corrupted=27, detection=40, timed=500, second_tier=20
)
QUICK = Plan("mls", Counts(22, 299, 60), unsafe=150, safe=75, corrupted=8, detection=10, timed=50, second_tier=3)
#: For a machine that is busy with other things: a tenth of the time, and wider intervals.
REDUCED = Plan("mls", Counts(22, 299, 100), unsafe=100, safe=50, corrupted=6, detection=8, timed=40, second_tier=2)
#: Replays with a random fault.
FAULT_RUNS = 1000
#: Machines of the whole bench.
MACHINES = 20
RESULTS = HERE / "gate_results"
PART = (
    "**This was not the whole bench.** The targets are for 20 machines of BESSY II with 10 000 held-out commands each, "
    "20 000 unsafe steps and 10 000 corrupted commands in all. This run had {machines} machines of {ring} and the "
    "smaller numbers that stand here, beside other work on the computer: intervals are wider, and decisions slower, "
    "than in a whole run on a quiet one."
)
FEW = (
    "**This was not the whole bench**, which has 20 machines: this run was ended after {machines}. For each of them "
    "nothing was reduced. It ran beside other work on the computer: decisions are slower than on a quiet one."
)


def main() -> None:
    """Run the bench."""
    options = _options()
    plan = QUICK if options.quick else REDUCED if options.reduced else FULL
    if options.ring:
        plan = replace(plan, ring=options.ring)
    if options.held_out:
        plan = replace(plan, counts=replace(plan.counts, tested=options.held_out))
    machines = options.machines or (1 if options.quick else MACHINES)
    rollbacks = _rollbacks(100 if options.quick else FAULT_RUNS, options.resume)
    results = _measure([options.first_seed + n for n in range(machines)], plan, options.processes, options.resume)
    if not results:
        sys.exit("no machine was measured")
    took_s = sum(sum(r.wall_s.values()) for r in results)
    evidence = Evidence(plan, results, rollbacks, took_s, options.quick or options.reduced)
    print(table(["measure", "target", "measured", ""], [row.cells for row in evidence.rows()]))
    for result in results:
        for text in (*result.decisions.accepted, *result.corrupted.texts):
            print("ACCEPTED:", text)
    for text in rollbacks.texts:
        print("NOT BACK:", text)
    folder = ROOT / "docs" if options.write_docs else RESULTS
    text = page(evidence, folder, _reduced(plan, len(results)))
    (folder / "safety.md").write_text(text, encoding="utf-8")
    print(f"written: {folder / 'safety.md'}")


def _reduced(plan: Plan, machines: int) -> list[str]:
    """A sentence about what was left out, if anything was."""
    if plan != FULL:
        return [PART.format(machines=machines, ring=plan.ring)]
    return [] if machines >= MACHINES else [FEW.format(machines=machines)]


def _rollbacks(runs: int, resume: bool) -> RollbackCounts:
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / "rollbacks.pickle"
    if resume and file.exists():
        found: RollbackCounts = pickle.loads(file.read_bytes())
        if found.runs == runs:
            return found
    found = replay_with_faults(runs)
    _keep(file, found)
    return found


def _keep(file: Path, content: object) -> None:
    """Write a result so that a run that is killed leaves the whole of it, or none."""
    written = file.with_suffix(".new")
    written.write_bytes(pickle.dumps(content))
    written.replace(file)


def _measure(seeds: list[int], plan: Plan, processes: int, resume: bool) -> list[MachineResult]:
    RESULTS.mkdir(exist_ok=True)
    files = {seed: RESULTS / f"{plan.ring}_{seed}.pickle" for seed in seeds}
    found: dict[int, MachineResult] = {}
    if resume:
        for seed, file in files.items():
            if file.exists():
                kept, result = pickle.loads(file.read_bytes())
                if kept == plan:
                    found[seed] = result
    todo = [seed for seed in seeds if seed not in found and processes]
    with ProcessPoolExecutor(max_workers=max(processes, 1)) as pool:
        jobs = {pool.submit(measure_machine, seed, plan): seed for seed in todo}
        for job in as_completed(jobs):
            seed = jobs[job]
            found[seed] = result = job.result()
            _keep(files[seed], (plan, result))
            laps = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result.wall_s.items())
            print(f"{plan.ring}, seed {seed}: {laps}; {len(found)} of {len(seeds)}", flush=True)
    return [found[seed] for seed in seeds if seed in found]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="Measure one small machine (MLS) in about two minutes.")
    parser.add_argument(
        "--reduced", action="store_true", help="Measure 20 machines of the MLS with a tenth of the work."
    )
    parser.add_argument("--ring", default="", help="Measure machines of this ring instead of BESSY II.")
    parser.add_argument("--machines", type=int, default=0, help="Number of machines.")
    parser.add_argument("--first-seed", type=int, default=1, help="Seed of the first machine; the others follow.")
    parser.add_argument("--held-out", type=int, default=0, help="Number of held-out commands in each bin.")
    parser.add_argument(
        "--processes",
        type=int,
        default=max(os.cpu_count() or 1, 1),
        help="Number of processes; 0 measures nothing, for a page of what --resume finds.",
    )
    parser.add_argument("--resume", action="store_true", help="Take machines of an earlier run with the same numbers.")
    parser.add_argument("--write-docs", action="store_true", help="Write docs/safety.md and its pictures.")
    return parser.parse_args()


if __name__ == "__main__":
    main()
