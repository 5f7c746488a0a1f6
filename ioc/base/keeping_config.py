"""Sections of the configuration about what is kept in files: journal, document store, results, limits of the gate."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from gnomon.db.mongo_address import is_mongo_address, parse_mongo_address
from gnomon.db.store import StoreError
from gnomon.ioc.base.section import Section

__all__ = ["GateConfig", "RecorderConfig", "ResultsConfig", "RetentionRule", "RotateConfig", "StoreConfig", "kept_at"]


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
    """The document store: a file, or a database of a MongoDB server."""

    path: Path | None = Field(
        default=None,
        description="file of the store, relative to the configuration; by default, in the user's data folder. Results "
        "and PV documents of machines are kept in folders beside it, whatever the store",
    )
    mongodb: str | None = Field(
        default=None,
        description="database of a MongoDB server, which is then the store instead of the file: "
        "mongodb://[USER@]HOST[:PORT]/DATABASE[?OPTIONS] (extra `mongo`). The password is in the file that the option "
        "`passwordFile` names, or in the environment variable GNOMON_MONGODB_PASSWORD, never here",
    )
    look_s: float = Field(
        default=10.0,
        gt=0.0,
        le=3600.0,
        description="time between two looks whether somebody else has changed the machine document in the store [s]; "
        "a MongoDB replica set tells at once",
    )

    @field_validator("mongodb")
    @classmethod
    def _without_a_password(cls, address: str | None) -> str | None:
        if address is not None:
            try:
                parse_mongo_address(address)
            except StoreError as error:
                raise ValueError(str(error)) from error
        return address

    def beside(self, folder: Path) -> Self:
        """As of every section; the files that the address of a server names, too."""
        there = super().beside(folder)
        if there.mongodb is None:
            return there
        return there.model_copy(update={"mongodb": parse_mongo_address(there.mongodb).beside(folder).to_text()})


def kept_at(place: str) -> dict[str, str | None]:
    """Section `store` for the store of a server that tells its place: a file, or an address."""
    return {"path": None, "mongodb": place} if is_mongo_address(place) else {"path": place, "mongodb": None}


class RetentionRule(Section):
    """A rule about what may be removed of a kind, by age or by size; `gnomon data prune` does it."""

    kind: Literal["result", "study", "recording", "calibration"] = Field(description="kind that it is about")
    procedures: tuple[str, ...] = Field(default=(), description="procedures that it is about; empty: all of the kind")
    days: float | None = Field(default=None, gt=0.0, description="remove what is older [days]; null: at any age")
    megabytes: float | None = Field(
        default=None,
        gt=0.0,
        description="remove the oldest while they are more than this together [MB]; null: any size",
    )
    newest: int = Field(
        default=1, ge=1, description="keep this many of each procedure and machine, the newest, however old they are"
    )

    @model_validator(mode="after")
    def _says_something(self) -> "RetentionRule":
        if self.days is None and self.megabytes is None:
            raise ValueError("a rule needs days, megabytes or both")
        return self


class ResultsConfig(Section):
    """Results of measurements and corrections."""

    tiled: str | None = Field(
        default=None,
        pattern=r"^https?://[^?#\s]+$",
        description="address of a container in a catalogue of tiled, to which each result is written besides its file; "
        "the key is the environment variable TILED_API_KEY",
    )
    facility: str | None = Field(
        default=None, max_length=200, description="name of the facility, for data that are given away"
    )
    license: str | None = Field(
        default=None, max_length=500, description="license of data that are given away: an address or a name"
    )
    retention: tuple[RetentionRule, ...] = Field(
        default=(), description="rules about what `gnomon data prune` removes; without any, nothing"
    )
