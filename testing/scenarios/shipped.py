"""The scenarios that come with gnomon, by name; a user's own are files."""

from functools import cache
from pathlib import Path

from gnomon.lattice.near_names import near_names_hint
from gnomon.testing.scenarios.scenario_reading import Finding, ReadScenario, ScenarioError, read_scenario

LIBRARY = Path(__file__).parent / "library"
SUFFIXES = (".yaml", ".yml")


@cache
def shipped_scenarios() -> dict[str, Path]:
    """Return the shipped scenarios, file by name, in the order of the names."""
    return {path.stem: path for path in sorted(LIBRARY.glob("*.yaml"))}


def find_scenario(asked: str) -> ReadScenario:
    """Read a scenario, shipped by name or a file. Raises ScenarioError, with near names if there is none."""
    path = shipped_scenarios().get(asked)
    if path is not None:
        return read_scenario(path, f"{asked}.yaml")
    if Path(asked).suffix in SUFFIXES or Path(asked).exists():
        return read_scenario(Path(asked))
    hint = near_names_hint(asked, shipped_scenarios())
    reason = f"there is no such file, and no shipped scenario of this name{hint}; `gnomon fault scenarios` lists them"
    raise ScenarioError(asked, (Finding(1, "", reason),))
