"""Runs a load client against a server, and makes numbers of what it says."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def run_load(command: list[str], environment: Mapping[str, str], cpu_s: Callable[[], float]) -> dict[str, Any]:
    """The client's report, with `cpu_s`: what the server used between its lines 'measuring' and 'measured'.

    Raises RuntimeError when the client fails.
    """
    client = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert client.stderr is not None
    assert client.stdout is not None
    cpu = {"measuring": cpu_s()}
    complaints = []
    for line in client.stderr:
        if line.strip() in ("measuring", "measured"):
            cpu[line.strip()] = cpu_s()
        else:
            complaints.append(line)
            sys.stderr.write(line)
    report = client.stdout.read()
    if client.wait():
        raise RuntimeError(f"{command[0]} ended with status {client.returncode}:\n{''.join(complaints[-5:])}")
    used = cpu.get("measured", cpu_s()) - cpu["measuring"]
    return {**json.loads(report), "cpu_s": round(used, 2)}


def flatten(result: Mapping[str, Any], path: str = "") -> dict[str, float]:
    """{'a': {'b': 1}} -> {'a.b': 1}, numbers only."""
    flat: dict[str, float] = {}
    for key, value in result.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{path}{key}.")
        elif isinstance(value, int | float):
            flat[path + key] = value
    return flat


def medians(results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Median of each number; of those that every run has."""
    flat = [flatten(result) for result in results]
    common = [key for key in flat[0] if all(key in other for other in flat)]
    return {key: statistics.median(run[key] for run in flat) for key in common}
