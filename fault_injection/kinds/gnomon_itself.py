"""Faults of gnomon itself: its model, its journal, and the store of its documents."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from gnomon.fault_injection.request import MAX_DELAY_S, FaultRequest, Message, Number

#: Longest factor on the time of a computation.
MAX_FACTOR = 1e6


class OwnFault(FaultRequest):
    """A fault of a part of gnomon. It has no target: each kind is about one part, which a server has once."""

    group: ClassVar[str] = "gnomon"

    def effect(self) -> str:
        """See `FaultRequest`."""
        return str(self.kind)  # type: ignore[attr-defined]


class ModelSlow(OwnFault):
    """Let the model take longer for each result; beyond `model.timeout_s` of the configuration it counts as hung."""

    kind: Literal["model_slow"] = "model_slow"
    counted: ClassVar[str] = "computation"
    lasting: ClassVar[bool] = True

    delay_s: Number | None = Field(default=None, gt=0, le=MAX_DELAY_S, description="added to each computation [s]")
    factor: Number | None = Field(
        default=None, gt=1, le=MAX_FACTOR, description="factor on the time of each computation"
    )

    @model_validator(mode="after")
    def _says_how_slow(self) -> Self:
        if (self.delay_s is None) == (self.factor is None):
            raise ValueError("give delay_s or factor: how slow the model is")
        return self

    def longer_s(self, took_s: float) -> float:
        """Return the time by which a computation that took this time takes longer [s]."""
        return min(self.delay_s if self.delay_s is not None else took_s * ((self.factor or 1.0) - 1.0), MAX_DELAY_S)

    def effect(self) -> str:
        """See `FaultRequest`."""
        return f"model_slow {f'by {self.delay_s:g} s' if self.delay_s is not None else f'by a factor {self.factor:g}'}"


class ModelHung(OwnFault):
    """Let a computation of the model never end: not until the fault is cleared, or its time is over."""

    kind: Literal["model_hung"] = "model_hung"
    counted: ClassVar[str] = "computation"
    lasting: ClassVar[bool] = True


class ModelCrashed(OwnFault):
    """Let the model break off with an error instead of a result."""

    kind: Literal["model_crashed"] = "model_crashed"
    counted: ClassVar[str] = "computation"

    message: Message = Field(
        default="the computation broke off", description="text of the error, as `dt:reason` shows it"
    )


class JournalFull(OwnFault):
    """Let the journal's disk be full: commands are refused, and nothing moves, as long as nothing can be recorded."""

    kind: Literal["journal_full"] = "journal_full"
    counted: ClassVar[str] = "write"


class StoreUnreachable(OwnFault):
    """Let the document store be out of reach: reference orbits are neither saved nor found, nor snapshots for forks."""

    kind: Literal["store_unreachable"] = "store_unreachable"
    counted: ClassVar[str] = "access"


#: The kinds of this module.
KINDS: tuple[type[OwnFault], ...] = (ModelSlow, ModelHung, ModelCrashed, JournalFull, StoreUnreachable)
