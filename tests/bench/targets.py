"""The servers that are compared: how each is started, and what its PVs are called."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from dt4acc.install import DT4ACC, server_command
from environments import NotInstalled
from jobs import Job

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Target:
    """A server to measure, started in an empty folder; `first_pv` is what the first answer is asked of, if it is."""

    name: str
    command: list[str]
    ready_text: str
    first_pv: str | None
    jobs: list[Job]  # in each round
    last_jobs: list[Job]  # in the last round only
    environment: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


# One horizontal steerer by 0.01 A and a supply with 16 quadrupoles by 0.05 A: small steps that every output shows.
STEERER, STEERER_STEP_A = "HS4P1D1R:set", 0.01
SUPPLY, SUPPLY_STEP_A = "Q1PDR:set", 0.05
ORBIT, TUNE = "beam:orbit:x", "TUNEZR:rdH"
MONITOR = "BPMZ5D1R:rdX"


def gnomon() -> Target:
    """gnomon's shadow of BESSY II, with a journal on disk as in operation."""
    prefix = "TWIN:"
    console_script = str(Path(sys.executable).parent / "gnomon")
    options = ["--machine", "bessy2", "--prefix", prefix, "--journal", "journal.sqlite"]
    return Target(
        name="gnomon",
        command=[console_script, "serve", *options],
        ready_text="ready",
        first_pv=prefix + TUNE,
        jobs=[
            *_both_protocols("steerer, wait", prefix + STEERER, STEERER_STEP_A, prefix + MONITOR, 170),
            Job(
                "steerer to orbit",
                "put_to_event",
                "ca",
                prefix + STEERER,
                STEERER_STEP_A,
                prefix + ORBIT,
                60,
                0.3,
                0.02,
            ),
            Job("supply to tune", "put_to_event", "ca", prefix + SUPPLY, SUPPLY_STEP_A, prefix + TUNE, 60, 0.3, 0.02),
            Job("supply, wait (ca)", "put_with_wait", "ca", prefix + SUPPLY, SUPPLY_STEP_A, prefix + TUNE, 60),
            _watching(prefix + STEERER, STEERER_STEP_A, prefix + MONITOR, prefix + ORBIT, 0.3),
        ],
        last_jobs=_streams(prefix, (20.0, 1000.0), settle_s=0.3, counter=prefix + "dt:generation"),
    )


def dt4acc() -> Target:
    """dt4acc's BESSY II as its authors ship it. Raises NotInstalled. Its puts complete before anything is computed."""
    versions = DT4ACC.install()
    prefix = "DT:"
    return Target(
        name="dt4acc",
        command=server_command(),
        ready_text="iocRun: All initialization complete",
        first_pv=prefix + TUNE,
        jobs=[
            *_both_protocols("steerer, wait", prefix + STEERER, STEERER_STEP_A, prefix + ORBIT, 10, settle_s=0.6),
            Job(
                "steerer to orbit", "put_to_event", "ca", prefix + STEERER, STEERER_STEP_A, prefix + ORBIT, 6, 0.6, 0.3
            ),
            Job("supply to tune", "put_to_event", "ca", prefix + SUPPLY, SUPPLY_STEP_A, prefix + TUNE, 6, 0.6, 0.3),
        ],
        last_jobs=_streams(prefix, (20.0,), settle_s=0.6),
        environment={"DT4ACC_PREFIX": prefix.removesuffix(":"), "OMP_NUM_THREADS": "1"},
        versions={name: versions[name] for name in ("dt4acc", "dt4acc-lib", "accelerator-toolbox", "softioc", "p4p")},
    )


def plain_ioc() -> Target:
    """EPICS base's soft IOC that copies a setpoint to 246 readings: what the protocols alone cost."""
    peer = HERE / "load" / "peers" / "c_softioc.py"
    prefix = "BENCH:"
    return Target(
        name="plain IOC",
        command=[sys.executable, str(peer), "--pva", "--prefix", prefix, "--count", "246"],
        ready_text="ready",
        first_pv=None,
        jobs=[
            *_both_protocols("steerer, wait", f"{prefix}SET", 1.0, f"{prefix}00245", 170, settle_s=0.1),
            Job("steerer to orbit", "put_to_event", "ca", f"{prefix}SET", 1.0, f"{prefix}00245", 60, 0.1, 0.02),
            _watching(f"{prefix}SET", 1.0, f"{prefix}00245", f"{prefix}00000", 0.1),
        ],
        last_jobs=[],
    )


def all_targets() -> tuple[list[Target], dict[str, str]]:
    """The targets that can be measured here, gnomon first, and why the others can not."""
    targets, missing = [gnomon(), plain_ioc()], {}
    try:
        targets.append(dt4acc())
    except NotInstalled as error:
        missing["dt4acc"] = str(error)
    return targets, missing


def _both_protocols(name: str, setpoint: str, step: float, output: str, count: int, settle_s: float = 0.3) -> list[Job]:
    return [
        Job(f"{name} ({protocol})", "put_with_wait", protocol, setpoint, step, output, count, settle_s)
        for protocol in ("ca", "pva")
    ]


def _watching(setpoint: str, step: float, output: str, watched: str, settle_s: float) -> Job:
    """Puts over CA by a client that has a monitor too: answers and events then share a connection."""
    name = "steerer, wait, watching (ca)"
    return Job(name, "put_with_wait", "ca", setpoint, step, output, 60, settle_s, watched=watched)


def _streams(prefix: str, rates: tuple[float, ...], settle_s: float, counter: str = "") -> list[Job]:
    setpoint, output = prefix + STEERER, prefix + ORBIT
    return [
        Job(
            f"stream {rate:g}/s",
            "stream",
            "ca",
            setpoint,
            STEERER_STEP_A,
            output,
            settle_s=settle_s,
            rate=rate,
            counter=counter,
        )
        for rate in rates
    ]
