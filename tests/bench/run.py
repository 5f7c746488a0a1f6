#!/usr/bin/env python3
"""Measure gnomon next to dt4acc and a plain IOC, on loopback, and print a table: see README.md.

python tests/bench/run.py [--rounds N] [--write-docs] [--json FILE]
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from jobs import Job, Samples, decode_answers, encode_jobs
from load.server import Server, loopback_environment
from report import BadSection, Report, described_machine, write_section
from results import Result
from rich.console import Console
from rich.markup import escape
from targets import Target, all_targets

HERE = Path(__file__).resolve().parent
DOCS = HERE.parents[1] / "docs" / "performance.md"
START_LIMIT_S = 60.0
POLL_S = 0.02
CLIENT_LIMIT_S = 150.0
BUDGET_S = 200.0  # no round is begun after this; the whole run stays below five minutes
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


class BenchError(Exception):
    """A measurement could not be made; the text says why."""


@dataclass
class Findings:
    """Findings of a target's rounds so far."""

    target: Target
    result: Result = field(default_factory=Result)
    failure: str = ""


@contextmanager
def searching(pv: str, environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A client that is already searching for `pv`, before its server is started."""
    command = [sys.executable, str(HERE / "first_answer.py"), pv]
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as client:
        try:
            assert client.stdout is not None
            client.stdout.readline()
            yield client
        finally:
            client.kill()


def first_answer_s(client: "subprocess.Popen[str]", server: Server) -> float:
    """Seconds from the start of the server until the searching client had its answer. Raises BenchError."""
    while client.poll() is None:
        age_s = time.monotonic() - server.started_at
        if server.process.poll() is not None or age_s > START_LIMIT_S:
            end = "ended" if server.process.poll() is not None else "gave no answer"
            raise BenchError(f"the server {end} after {age_s:.1f} s; last lines:\n{''.join(server.last_lines)}")
        time.sleep(POLL_S)
    answer, complaint = client.communicate()
    if client.returncode:
        raise BenchError(complaint.strip())
    return float(answer.split()[0]) - server.started_at


def run_client(jobs: list[Job], environment: dict[str, str]) -> dict[str, Samples | str]:
    return run_script([str(HERE / "measures.py"), encode_jobs(jobs)], environment)


def run_script(arguments: list[str], environment: dict[str, str]) -> dict[str, Samples | str]:
    """Run one of our Python scripts that prints answers; BenchError with its last words if it fails."""
    try:
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=CLIENT_LIMIT_S
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{Path(arguments[0]).name} took more than {CLIENT_LIMIT_S:g} s") from None
    if done.returncode:
        raise BenchError(f"{Path(arguments[0]).name} failed:\n{done.stderr[-2000:]}")
    return decode_answers(done.stdout.splitlines()[-1])


def serve_and_measure(target: Target, jobs: list[Job]) -> Result:
    """One round: start the server, do the jobs, stop it."""
    environment = loopback_environment() | ONE_THREAD | target.environment
    result = Result()
    with tempfile.TemporaryDirectory() as folder:
        if target.first_pv is None:
            server = Server(target.command, environment, target.ready_text, Path(folder))
        else:
            with searching(target.first_pv, environment) as client:
                server = Server(target.command, environment, target.ready_text, Path(folder))
                with stopped_on_failure(server):
                    result.add("start", Samples({"first_answer": [first_answer_s(client, server) * 1e3]}))
        with server:
            result.add("start", Samples({"ready": [server.await_ready(START_LIMIT_S) * 1e3]}))
            if jobs:
                for name, answer in run_client(jobs, environment).items():
                    result.add(name, answer)
    return result


@contextmanager
def stopped_on_failure(server: Server) -> Iterator[None]:
    try:
        yield
    except BaseException:
        server.stop()
        raise


def measure(targets: list[Target], rounds: int, console: Console) -> list[Findings]:
    """All rounds, the targets in turn; each has one start before that does not count, so that caches are warm."""
    findings = [Findings(target) for target in targets]
    begin = time.monotonic()
    for number in range(rounds + 1):
        if time.monotonic() - begin > BUDGET_S:
            console.print(f"[yellow]stopped before round {number} of {rounds}: the time is used up")
            break
        for found in findings:
            if found.failure:
                continue
            is_last = number == rounds
            jobs = [] if number == 0 else found.target.jobs + (found.target.last_jobs if is_last else [])
            what = "warming up" if number == 0 else f"round {number} of {rounds}"
            try:
                with console.status(f"{found.target.name}: {what}"):
                    result = serve_and_measure(found.target, jobs)
            except (BenchError, RuntimeError, OSError) as error:
                found.failure = str(error)
                console.print(f"[red]{found.target.name}: {what} failed:[/] {escape(str(error))}", highlight=False)
                continue
            if number:
                found.result.merge(result)
            console.print(f"{found.target.name}: {what} done ({time.monotonic() - begin:.0f} s)", highlight=False)
    return findings


def measure_parts(console: Console) -> Result:
    """The parts without a network; what can't be measured stands there as text."""
    result = Result()
    try:
        with console.status("propagator and journal"):
            answers = run_script([str(HERE / "inprocess.py")], dict(os.environ) | ONE_THREAD)
    except BenchError as error:
        console.print(f"[red]in-process measurements failed:[/] {escape(str(error))}", highlight=False)
        return result
    for name, answer in answers.items():
        result.add(name, answer)
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="of each server, in turn (default %(default)s)")
    parser.add_argument("--only", action="append", metavar="NAME", help="measure this server only; may be repeated")
    parser.add_argument("--json", type=Path, default=HERE / "last.json", help="result file (default: last.json here)")
    parser.add_argument("--write-docs", action="store_true", help=f"rewrite the marked section of docs/{DOCS.name}")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # an exception, so that servers are stopped too

    console, where = Console(emoji=False), described_machine()
    with console.status("looking for what to compare with (installs dt4acc the first time)"):
        targets, missing = all_targets()
    if args.only:
        targets = [target for target in targets if target.name in args.only]
    findings = measure(targets, args.rounds, console)
    missing |= {found.target.name: found.failure for found in findings if found.failure}
    versions = {f"{f.target.name}: {name}": version for f in findings for name, version in f.target.versions.items()}
    servers = {found.target.name: found.result for found in findings}
    report = Report(servers, measure_parts(console), missing, where | versions)
    console.print(report.table())
    console.print(report.ratio_table())
    for name, reason in missing.items():
        console.print(f"[yellow]{name} was not measured:[/] {escape(reason.splitlines()[0])}", highlight=False)
    for found in findings:
        for job, reason in found.result.failures.items():
            console.print(f"[red]{found.target.name}, {job}:[/] {escape(reason)}", highlight=False)
    args.json.write_text(json.dumps(report.document(), indent=1) + "\n")
    if not servers.get("gnomon", Result()).samples:
        return 1
    if args.write_docs:
        try:
            write_section(DOCS, report.markdown())
        except BadSection as error:
            console.print(f"[red]{error}", highlight=False)
            return 1
    return 1 if "gnomon" in missing else 0


if __name__ == "__main__":
    sys.exit(main())
