"""Faults that last: each time that they begin is an occasion, and they may come again and again."""

from typing import ClassVar, Self

from pydantic import Field, model_validator

from gnomon.fault_injection.request import MAX_TIME_S, FaultRequest, Number

#: Shortest time from one occasion to the next, and shortest time that one lasts [s]: these faults are looked at ten
#: times a second.
MIN_EVERY_S, MIN_LASTS_S = 0.5, 0.2


class RepeatedFault(FaultRequest):
    """A fault that acts on occasions. `probability` is drawn for each, and `count` says how many there are.

    One begins when the fault does, and whenever its condition becomes true; with `every_s` also that long after the one
    before. It ends with the condition, after `lasts_s`, or when the next one is due.
    """

    counted: ClassVar[str] = "occasion"
    #: True if all that it does is done when an occasion begins.
    momentary: ClassVar[bool] = False

    every_s: Number | None = Field(
        default=None, ge=MIN_EVERY_S, le=MAX_TIME_S,
        description="begin again this long after the last beginning [s]; by default, it begins once",
    )  # fmt: skip
    lasts_s: Number | None = Field(
        default=None, ge=MIN_LASTS_S, le=MAX_TIME_S,
        description="how long it acts each time, with every_s [s]; by default, until the next time",
    )  # fmt: skip

    @model_validator(mode="after")
    def _times_agree(self) -> Self:
        if self.lasts_s is not None:
            if self.momentary:
                raise ValueError("lasts_s: it acts at once and does not last")
            if self.every_s is None:
                raise ValueError("lasts_s needs every_s; what begins once lasts for_s")
            if self.lasts_s >= self.every_s:
                raise ValueError(
                    f"lasts_s is {self.lasts_s:g} s: it must be less than every_s, which is {self.every_s:g} s"
                )
        return self

    def again(self) -> str:
        """Describe the repetition, for texts."""
        if self.every_s is None or (self.momentary and self.count == 1 and self.probability == 1.0):
            return ""
        lasts = "" if self.lasts_s is None else f" for {self.lasts_s:g} s"
        return f"{lasts} every {self.every_s:g} s"
