"""A display that shows nothing, and keeps what it was told."""

from gnomon.testing.scenarios import StepResult
from gnomon.testing.scenarios.steps import Step


class QuietProgress:
    """See `gnomon.testing.scenarios.player.Progress`."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def begin(self, number: int, step: Step, text: str) -> None:
        self.told.append(f"{number} {text}")

    def end(self, result: StepResult) -> None:
        self.told.append(f"{result.number} {result.verdict}")

    def restoring(self) -> None:
        self.told.append("restoring")
