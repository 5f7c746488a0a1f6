"""Sections of the configuration about what is kept in files: journal, document store, results, limits of the gate."""

from pathlib import Path

from pydantic import Field

from gnomon.ioc.base.section import Section

__all__ = ["GateConfig", "RecorderConfig", "ResultsConfig", "RotateConfig", "StoreConfig"]


class RotateConfig(Section):
    """Moving older commands out of the journal, into parts beside it that every command of `gnomon log` still reads."""

    megabytes: float | None = Field(
        default=256.0, gt=0.0, description="move them when the journal has grown to this size [MB]; null: never"
    )
    days: float | None = Field(
        default=None, gt=0.0, description="move them when the oldest one has this age [days]; null: never"
    )


class RecorderConfig(Section):
    """The journal."""

    journal: Path | None = Field(
        default=None,
        description="journal file, relative to the configuration; by default, one file for each machine and prefix",
    )
    restore: bool = Field(
        default=False, description="start with the last settings recorded in the journal, not with nominal settings"
    )
    rotate: RotateConfig = RotateConfig()


class GateConfig(Section):
    """The safety gate, through which writes to a machine go (gnomon gate). It is not machine protection."""

    limits: Path | None = Field(
        default=None,
        description="limits file of the machine, relative to the configuration; null: none, and the gate refuses "
        "everything",
    )


class StoreConfig(Section):
    """The embedded document store."""

    path: Path | None = Field(
        default=None,
        description="file of the store, relative to the configuration; by default, in the user's data folder",
    )


class ResultsConfig(Section):
    """Results of measurements and corrections."""

    tiled: str | None = Field(
        default=None,
        pattern=r"^https?://[^?#\s]+$",
        description="address of a container in a catalogue of tiled, to which each result is written besides its file; "
        "the key is the environment variable TILED_API_KEY",
    )
