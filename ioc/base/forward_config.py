"""Section `forward` of the configuration: where `gnomon forward` sends the journal and results, and how far behind."""

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from gnomon.ioc.base.section import Section

__all__ = ["ForwardConfig", "LogbookConfig", "MongodbConfig", "MqttConfig", "TiledConfig"]


class MqttConfig(Section):
    """A broker of MQTT 5. The password is in a file or in GNOMON_MQTT_PASSWORD."""

    host: str | None = Field(
        default=None, min_length=1, description="host name or address of the broker; null: nothing goes to a broker"
    )
    port: int | None = Field(default=None, ge=1, le=65535, description="port (TCP); null: 1883, or 8883 with `tls`")
    topic: str = Field(
        default="gnomon",
        max_length=100,
        pattern=r"^[^#+/$\x00-\x1f][^#+\x00-\x1f]*$",
        description="first level of all topics; the prefix of the PVs is the second one",
    )
    user: str | None = Field(default=None, min_length=1, description="user name for the broker; null: none")
    password_file: Path | None = Field(
        default=None,
        description="file with the password, relative to the configuration, readable by its owner alone; null: "
        "environment variable GNOMON_MQTT_PASSWORD, else none",
    )
    tls: bool = Field(default=False, description="encrypt the connection, and check the broker's certificate")
    ca_file: Path | None = Field(
        default=None,
        description="file with the certificates (PEM) that may have signed the broker's, relative to the "
        "configuration; null: those of the system",
    )
    certificate_file: Path | None = Field(
        default=None, description="file with our certificate and key (PEM), if the broker asks for one"
    )
    state_s: float = Field(
        default=2.0, ge=0.1, description="time between two looks at the server for the retained state [s]"
    )
    requests: bool = Field(
        default=False,
        description="carry out settings and faults that are requested over MQTT, if they come with the token of the "
        "services",
    )
    token_file: Path | None = Field(
        default=None,
        description="file with the token of requests, relative to the configuration; null: that of gnomon services",
    )

    @property
    def tcp_port(self) -> int:
        """Port of the broker, by default that of MQTT, with TLS or without."""
        return self.port or (8883 if self.tls else 1883)


class MongodbConfig(Section):
    """A copy of the journal in MongoDB. The password is in a file or in GNOMON_MONGODB_PASSWORD."""

    uri: str | None = Field(
        default=None,
        pattern=r"^mongodb(\+srv)?://",
        description="address (mongodb://HOST:PORT), without user and password; null: there is no copy",
    )
    database: str = Field(default="gnomon", pattern=r"^[A-Za-z0-9_-]{1,63}$", description="name of the database")
    user: str | None = Field(default=None, min_length=1, description="user name; null: none")
    password_file: Path | None = Field(
        default=None,
        description="file with the password, relative to the configuration, readable by its owner alone; null: "
        "environment variable GNOMON_MONGODB_PASSWORD, else none",
    )
    ca_file: Path | None = Field(
        default=None, description="file with the certificates (PEM) for TLS; null: those of the system"
    )

    @field_validator("uri")
    @classmethod
    def _has_no_password(cls, uri: str | None) -> str | None:
        if uri is not None and "@" in urlsplit(uri).netloc:
            raise ValueError("user and password do not belong here: use `user` and `password_file`")
        return uri


class TiledConfig(Section):
    """Results in the catalogue of tiled of `results.tiled`, tried again until it has them."""

    enabled: bool = Field(default=False, description="write results there that the catalogue does not have yet")


class LogbookConfig(Section):
    """An electronic logbook that takes entries as JSON by POST. The token is in a file or in GNOMON_LOGBOOK_TOKEN."""

    url: str | None = Field(
        default=None, pattern=r"^https?://[^@#\s]+$", description="address for entries; null: there is no logbook"
    )
    what: tuple[Literal["commands", "outcomes", "faults", "results"], ...] = Field(
        default=("faults", "results"), min_length=1, description="what becomes an entry"
    )
    token_file: Path | None = Field(
        default=None,
        description="file with a bearer token, relative to the configuration, readable by its owner alone; null: "
        "environment variable GNOMON_LOGBOOK_TOKEN, else none",
    )
    ca_file: Path | None = Field(
        default=None, description="file with the certificates (PEM) for TLS; null: those of the system"
    )


class ForwardConfig(Section):
    """Copies of the journal and of results elsewhere (gnomon forward). The journal is the truth."""

    mqtt: MqttConfig = MqttConfig()
    mongodb: MongodbConfig = MongodbConfig()
    tiled: TiledConfig = TiledConfig()
    logbook: LogbookConfig = LogbookConfig()
    alarm_s: float = Field(
        default=60.0, gt=0.0, description="age of the oldest undelivered item from which it counts as behind [s]"
    )
    max_backlog: int = Field(
        default=5_000_000, ge=1, description="commands that may wait for one of them; `when_full` says what then"
    )
    when_full: Literal["keep", "skip"] = Field(
        default="keep",
        description="with `keep`, nothing is left out, and an alarm is shown; with `skip`, the oldest ones are left "
        "out and counted, and an alarm is shown until `gnomon forward move` is called",
    )

    @property
    def is_used(self) -> bool:
        """Tell whether anything is to be sent anywhere."""
        return bool(self.mqtt.host or self.mongodb.uri or self.tiled.enabled or self.logbook.url)
