"""The configuration: one tree of described settings, read from YAML; unknown keys are refused with their line."""

import os
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from gnomon.db.mongo_address import parse_mongo_address
from gnomon.db.yaml_lines import line_of, read_yaml
from gnomon.ioc.base.clients_config import AccessConfig, AccessRule, GuardConfig
from gnomon.ioc.base.forward_config import ForwardConfig
from gnomon.ioc.base.imperfections_config import ImperfectionsConfig
from gnomon.ioc.base.keeping_config import (
    GateConfig,
    RecorderConfig,
    ResultsConfig,
    RetentionRule,
    RotateConfig,
    StoreConfig,
    kept_at,
)
from gnomon.ioc.base.operations_config import LogConfig, MetricsConfig
from gnomon.ioc.base.section import Section
from gnomon.lattice import GnomonError
from gnomon.lattice.files import full_path, read_bounded
from gnomon.lattice.text import is_port

if TYPE_CHECKING:
    from gnomon.db import Connect, StorePlace

__all__ = [
    "OF_THE_SERVER",
    "SHIPPED",
    "AccessConfig",
    "AccessRule",
    "Config",
    "ConfigError",
    "FaultsConfig",
    "ForksConfig",
    "ForwardConfig",
    "GateConfig",
    "GuardConfig",
    "ImperfectionsConfig",
    "LogConfig",
    "MetricsConfig",
    "ModelConfig",
    "NetworkConfig",
    "PublishConfig",
    "RecorderConfig",
    "ResultsConfig",
    "RetentionRule",
    "RotateConfig",
    "Section",
    "ShadowConfig",
    "StoreConfig",
    "as_served",
    "changed",
    "kept_at",
    "read_config",
]

#: The shipped configuration, which is used unless another one is given.
SHIPPED = Path(__file__).parents[2] / "ioc_config.yaml"

#: Parts of the configuration on which PVs and ports depend, so that a twin with others needs another server.
OF_THE_SERVER = ("machine", "pvs", "prefix", "network", "access", "guard", "metrics", "log")

#: A password in an address, which no message repeats.
_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]*://[^:@/\s]*):\S*@", re.IGNORECASE)

#: Largest configuration that is read [bytes].
MAX_BYTES = 2**20


class ConfigError(GnomonError):
    """A configuration that cannot be used: file, line, key and reason."""


class NetworkConfig(Section):
    """Addresses and ports of the server. The standard EPICS environment variables take precedence over them."""

    interfaces: tuple[str, ...] = Field(default=("127.0.0.1",), description="IP addresses to listen on")
    ca_port: int = Field(default=5064, ge=1, le=65535, description="Channel Access port (TCP and UDP)")
    pva_port: int = Field(default=5075, ge=1, le=65535, description="PV Access port (TCP)")
    pva_broadcast_port: int = Field(default=5076, ge=1, le=65535, description="PV Access port for searches (UDP)")
    check_names: bool = Field(
        default=True, description="refuse to start if another server already serves one of the PV names"
    )
    check_timeout_s: float = Field(
        default=0.4, gt=0.0, le=0.5, description="time to wait for answers of other servers to that check [s]"
    )


class ModelConfig(Section):
    """The model of the beam."""

    momentum: Literal["orbit", "frequency"] = Field(
        default="frequency",
        description="determination of the momentum deviation: with `frequency`, the RF frequency fixes the path length "
        "of the closed orbit, as in a real ring; with `orbit`, only changes of the RF frequency change the momentum, "
        "as in codes at fixed momentum",
    )
    timeout_s: float = Field(
        default=0.8,
        gt=0.0,
        description="time allowed for one computation [s]; a longer one is abandoned, outputs become INVALID, and a "
        "new one is started",
    )
    max_wait_s: float = Field(
        default=0.9,
        gt=0.0,
        description="time allowed from a setpoint to the result that includes it [s]; then outputs become INVALID",
    )


class PublishConfig(Section):
    """Publication of readings."""

    repeat_hz: float = Field(
        default=1.0,
        ge=0.0,
        le=50.0,
        description="rate at which orbit and tune readings are repeated with a new time stamp [Hz]; 0: never",
    )
    each_monitor: bool | None = Field(
        default=None,
        description="repeat the PVs of each monitor too, as monitors of a real machine read on; by default, role "
        "machine does",
    )


class ForksConfig(Section):
    """Further twins in this server, each with its own prefix, lattice and journal (gnomon fork)."""

    most: int = Field(default=4, ge=0, le=50, description="number of forks at a time; 0: no forks")
    start: dict[str, str] = Field(
        default={},
        description="prefix of each fork, by name, to add at the start, with the lattice of the server's twin",
    )


class ServicesConfig(Section):
    """Services and measurements (gnomon services, gnomon measure)."""

    scripts: Path | None = Field(
        default=None,
        description="folder of user scripts, each a Python file with a plan and an analysis, relative to the "
        "configuration; null: none",
    )
    certificate: Path | None = Field(
        default=None,
        description="file of the certificate (PEM), with those between, by which gnomon services answers over HTTPS "
        "(TLS), relative to the configuration; null: HTTP",
    )
    key: Path | None = Field(
        default=None,
        description="file of its private key (PEM), which only its owner may read, relative to the configuration; "
        "null: in the file of the certificate",
    )


class FaultsConfig(Section):
    """Injected faults (gnomon fault)."""

    seed: int = Field(
        default=0,
        ge=0,
        le=2**31 - 1,
        description="seed of everything random in faults; the same seed draws the same numbers on every machine",
    )


Role = Literal["twin", "shadow", "machine"]


class ShadowConfig(Section):
    """The machine that a shadow follows: its PVs are read and never written."""

    addresses: tuple[str, ...] = Field(
        default=(),
        description="addresses for the search of its PVs: `host` or `host:port` (UDP), as in EPICS_CA_ADDR_LIST, which "
        "itself has no effect here; empty: no machine",
    )
    protocol: Literal["ca", "pva"] = Field(default="ca", description="protocol: Channel Access or PV Access")
    prefix: str = Field(default="", max_length=30, description="prefix of the machine's PV names")
    leave_alone: tuple[str, ...] = Field(
        default=(),
        description="patterns of PVs that are not watched, because the machine lacks them or must not be followed in "
        "them: names without prefix, with the wildcards `*` and `?`",
    )
    timeout_s: float = Field(
        default=2.0,
        ge=0.2,
        le=60.0,
        description="time without an answer after which the machine counts as out of reach [s]",
    )
    stale_s: float = Field(
        default=5.0,
        gt=0.0,
        description="age at which a reading is no longer fresh, by its time stamp [s]; a time stamp as far in the "
        "future counts alike",
    )
    settle_s: float = Field(
        default=0.1,
        ge=0.0,
        description="time after the machine's last setpoint change during which readings do not count [s]",
    )
    monitor_noise_m: float = Field(
        default=1e-6, gt=0.0, description="noise of beam position monitors (standard deviation) [m]"
    )
    monitor_noise_of: dict[str, float] = Field(
        default={}, description="noise of individual monitors, by name, in place of monitor_noise_m [m]"
    )
    tune_noise: float = Field(default=1e-4, gt=0.0, description="noise of the measured tunes (standard deviation)")
    calibration: str | None = Field(
        default=None,
        min_length=1,
        description="calibration (gnomon calibrate) of the confidence bounds in dt:bound:*: the first digits of its "
        "id, or `newest`; null: there are no such PVs",
    )
    coverage: float = Field(
        default=0.95,
        gt=0.0,
        lt=1.0,
        description="probability with which all monitors and both tunes are inside these bounds at once",
    )

    @field_validator("addresses")
    @classmethod
    def _can_be_searched(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            host, colon, port = address.partition(":")
            if not host or host != host.strip() or (colon and not is_port(port)):
                raise ValueError(f"{address!r} is not an address; use host or host:port")
        return addresses

    @field_validator("monitor_noise_of")
    @classmethod
    def _positive(cls, noise: dict[str, float]) -> dict[str, float]:
        for name, value in noise.items():
            if not value > 0.0:
                raise ValueError(f"monitor {name!r}: the noise must be positive, not {value!r} m")
        return noise


class Config(Section):
    """All settings of a server."""

    role: Role = Field(
        default="twin",
        description="role of the server: a `twin` is independent, a `shadow` follows the machine of section `shadow`, "
        "a `machine` stands in for the real machine, under its PV names",
    )

    machine: str = Field(
        default="bessy2",
        description="name of a shipped machine, or file of a machine document (.json), relative to the configuration",
    )
    pvs: str | None = Field(
        default=None,
        min_length=1,
        description="name or file (.json, relative to the configuration) of the PV document that names the PVs; by "
        "default, the machine's own",
    )
    prefix: str = Field(
        default="TWIN:",
        max_length=30,
        pattern=r"^[A-Za-z0-9_:.;<>\[\]{}/+-]*$",
        description="prefix of all PV names; may be empty",
    )
    network: NetworkConfig = NetworkConfig()
    model: ModelConfig = ModelConfig()
    publish: PublishConfig = PublishConfig()
    recorder: RecorderConfig = RecorderConfig()
    store: StoreConfig = StoreConfig()
    results: ResultsConfig = ResultsConfig()
    gate: GateConfig = GateConfig()
    forks: ForksConfig = ForksConfig()
    faults: FaultsConfig = FaultsConfig()
    services: ServicesConfig = ServicesConfig()
    metrics: MetricsConfig = MetricsConfig()
    log: LogConfig = LogConfig()
    forward: ForwardConfig = ForwardConfig()
    access: AccessConfig = AccessConfig()
    guard: GuardConfig = GuardConfig()
    shadow: ShadowConfig = ShadowConfig()
    imperfections: ImperfectionsConfig = ImperfectionsConfig()

    @model_validator(mode="after")
    def _shadow_has_a_machine(self) -> "Config":
        if self.role == "shadow" and not self.shadow.addresses:
            raise ValueError("role shadow needs a machine: give its address in shadow.addresses, or with --follow HOST")
        return self

    def beside(self, folder: Path) -> Self:
        """As of every section; a machine or PV document that is given as a JSON file, too."""
        given = {"machine": self.machine, "pvs": self.pvs or ""}
        files = {key: str(full_path(Path(file), folder)) for key, file in given.items() if file.endswith(".json")}
        return super().beside(folder).model_copy(update=files)

    def journal(self) -> Path:
        """Path of the journal, by default one for each machine and prefix."""
        if self.recorder.journal is not None:
            return self.recorder.journal.expanduser()
        name = f"{Path(self.machine).stem}.{_label(self.prefix)}.journal"
        return _home("XDG_STATE_HOME", ".local/state") / name

    def recordings(self) -> Path:
        """Path of the folder of recordings: GNOMON_RECORDINGS, else beside the journal."""
        if named := os.environ.get("GNOMON_RECORDINGS"):
            return Path(named).expanduser()
        return self.journal().parent / "recordings"

    def calibrations(self) -> Path:
        """Path of the folder of calibrations of confidence bounds: GNOMON_CALIBRATIONS, else beside the journal."""
        if named := os.environ.get("GNOMON_CALIBRATIONS"):
            return Path(named).expanduser()
        return self.journal().parent / "calibrations"

    def arming(self) -> Path:
        """Path of the folder of the gate's tokens, beside the journal."""
        return self.journal().parent / "arming"

    def replays(self) -> Path:
        """Path of the folder of states, reports and the audit log of gated replays, beside the journal."""
        return self.journal().parent / "replays"

    def forked(self, prefix: str) -> "Config":
        """Configuration of a fork: a twin with another prefix and its own journal beside ours. Raises ConfigError."""
        journal = self.recorder.journal
        if journal is not None:
            journal = journal.with_name(f"{journal.stem}.{_label(prefix)}{journal.suffix}")
        recorder = {"journal": None if journal is None else str(journal)}
        shadow = {"calibration": None}  # PVs of bounds are about the machine, and the server's own twin has them
        changes = {"role": "twin", "prefix": prefix, "recorder": recorder, "shadow": shadow}
        return changed(self, changes).model_copy(update={"forward": ForwardConfig()})  # a fork's journal stays here

    def store_place(self, connect: "Connect | None" = None, check: Callable[[], None] | None = None) -> "StorePlace":
        """Place of the document store; `connect` opens its file, `check` is called before a server is asked."""
        from gnomon.db import StorePlace

        if self.store.mongodb is not None:
            return StorePlace(parse_mongo_address(self.store.mongodb), check=check)
        return StorePlace(self.store_path(), connect=connect)

    def store_path(self) -> Path:
        """Path of the embedded document store, beside which results and PV documents are kept."""
        if self.store.path is not None:
            return self.store.path.expanduser()
        return _home("XDG_DATA_HOME", ".local/share") / "documents.sqlite"

    def results_folder(self) -> Path:
        """Path of the folder of results, unless a command is given another one."""
        return self.store_path().parent / "results"

    def services_token(self) -> Path:
        """Path of the file with the token of the services, unless they are given another one."""
        return self.store_path().parent / "services.token"


def read_config(path: Path | None = None) -> Config:
    """Read a configuration file, by default the shipped one. Raises ConfigError with file, line, key and reason."""
    return _read_shipped() if path in (None, SHIPPED) else _read(path)


@cache
def _read_shipped() -> Config:
    return _read(SHIPPED)


def _read(path: Path) -> Config:
    try:
        text = read_bounded(path, MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    try:
        root, data, repeated = read_yaml(text)
    except (yaml.YAMLError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        why = "too many brackets within each other" if deep else " ".join(str(error).split())
        raise ConfigError(f"{path}: not YAML: {why}") from error
    if repeated is not None:
        raise ConfigError(f"{path}:{repeated[1]}: key {repeated[0]!r} is given twice")
    try:
        return Config.model_validate(data).beside(path.parent)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        location = first["loc"]
        key = ".".join(str(part) for part in location)
        line = line_of(root, location)
        if first["type"] == "extra_forbidden":
            reason = f"unknown key {key!r}; known keys: {', '.join(_known(location[:-1]))}"
        else:
            reason = f"{key or 'the document'}: {_refusal(first['msg'], first['input'])}"
        raise ConfigError(f"{path}:{line}: {reason}") from error


def changed(config: Config, changes: Mapping[str, Any]) -> Config:
    """Change some settings, section by section. Raises ConfigError for a value that is not allowed."""
    data = config.model_dump(mode="json")
    for key, value in changes.items():
        data[key] = data[key] | value if isinstance(value, Mapping) else value
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{key}: {_refusal(first['msg'], first['input'])}") from error


def as_served(config: Config, machine: str, store: str) -> Config:
    """Return a configuration with machine and document store of a server; with an empty `store` our own stays."""
    return changed(config, {"machine": machine} | ({"store": kept_at(store)} if store else {}))


def _known(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Config
    for part in location:
        # An item of a list is described by the list's one type.
        model = get_args(model)[0] if isinstance(part, int) else model.model_fields[part].annotation
    return list(model.model_fields)


def _label(prefix: str) -> str:
    """Turn a prefix into a part of a file name."""
    return "".join(c if c.isalnum() else "-" for c in prefix).strip("-") or "no-prefix"


def _home(variable: str, fallback: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / fallback) / "gnomon"


def _refusal(reason: str, value: object) -> str:
    """Say why a value is refused, and which it was."""
    shown = _PASSWORD.sub(r"\1:***@", repr(value))
    return f"{reason[0].lower()}{reason[1:]}, got {shown}"
