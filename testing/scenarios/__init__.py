"""Scenarios: failures that control rooms know, played against a running server with the application under test.

A scenario is a YAML document (`scenario_document`, `steps`); `scenario_reading` names line and key of an error, and
`scenario_checking` looks for its names in a machine. `player` plays one over the network and leaves the ring as it
found it; `report` says what held.
"""

from typing import TYPE_CHECKING

from gnomon.lattice import lazy_names

if TYPE_CHECKING:
    from gnomon.testing.scenarios.application import Application
    from gnomon.testing.scenarios.own_server import OwnServer
    from gnomon.testing.scenarios.player import Player
    from gnomon.testing.scenarios.report import Report, StepResult, junit
    from gnomon.testing.scenarios.scenario_checking import check_scenario
    from gnomon.testing.scenarios.scenario_document import Scenario, schema
    from gnomon.testing.scenarios.scenario_reading import Finding, ScenarioError, read_scenario
    from gnomon.testing.scenarios.shipped import find_scenario, shipped_scenarios
    from gnomon.testing.scenarios.step_texts import describe_step

__all__ = [
    "Application",
    "Finding",
    "OwnServer",
    "Player",
    "Report",
    "Scenario",
    "ScenarioError",
    "StepResult",
    "check_scenario",
    "describe_step",
    "find_scenario",
    "junit",
    "read_scenario",
    "schema",
    "shipped_scenarios",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Application": "application",
        "Finding": "scenario_reading",
        "OwnServer": "own_server",
        "Player": "player",
        "Report": "report",
        "Scenario": "scenario_document",
        "ScenarioError": "scenario_reading",
        "StepResult": "report",
        "check_scenario": "scenario_checking",
        "describe_step": "step_texts",
        "find_scenario": "shipped",
        "junit": "report",
        "read_scenario": "scenario_reading",
        "schema": "scenario_document",
        "shipped_scenarios": "shipped",
    },
)
