"""A scenario as one assertion of a test: it is played without a display, and what did not hold is the message."""

from collections.abc import Sequence

from gnomon.clients.server_choice import Target
from gnomon.testing.scenarios import Player, Report, StepResult
from gnomon.testing.scenarios.shipped import find_scenario
from gnomon.testing.scenarios.steps import Step

__all__ = ["ScenarioFailed", "play_scenario"]

#: End of a program's output that a message quotes [characters].
MAX_OUTPUT = 2000


class ScenarioFailed(AssertionError):
    """Expectations of a scenario that did not hold."""

    def __init__(self, report: Report) -> None:
        lines = [f"{report.name}: {report.title}"]
        lines += [f"{each.verdict}: {each.text}\n    {each.found}" for each in report.failed]
        lines += [f"it ended early: {report.ended}"] if report.ended else []
        lines += [f"the ring is not as it was found: {report.restored}"] if report.restored else []
        lines += [f"the program printed:\n{report.output[-MAX_OUTPUT:]}"] if report.output else []
        super().__init__("\n".join(lines))
        self.report = report


class _Quiet:
    """No display of the play (`Progress`)."""

    def begin(self, number: int, step: Step, text: str) -> None:
        """See `Progress`."""

    def end(self, result: StepResult) -> None:
        """See `Progress`."""

    def restoring(self) -> None:
        """See `Progress`."""


def play_scenario(target: Target, scenario: str, command: Sequence[str]) -> Report:
    """Play a scenario, shipped or a file, against a twin. Raises ScenarioError, UnplayableError, ClientError."""
    return Player(target, command).play(find_scenario(scenario).scenario, scenario, _Quiet())
