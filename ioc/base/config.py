"""The configuration: one tree of described settings, read from YAML, with every key known or refused by line."""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gnomon.lattice import GnomonError
from gnomon.lattice.files import read_bounded

#: The configuration that is shipped, and used unless another is given.
SHIPPED = Path(__file__).parents[2] / "ioc_config.yaml"

#: Largest configuration that is read [bytes].
MAX_BYTES = 2**20


class ConfigError(GnomonError):
    """A configuration that cannot be used: file, line, key and reason."""


class Section(BaseModel):
    """A part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkConfig(Section):
    """Where clients connect. The standard EPICS environment variables win over these settings."""

    interfaces: tuple[str, ...] = Field(default=("127.0.0.1",), description="addresses to listen on")
    ca_port: int = Field(default=5064, ge=1, le=65535, description="Channel Access port, TCP and UDP")
    pva_port: int = Field(default=5075, ge=1, le=65535, description="PV Access TCP port")
    pva_broadcast_port: int = Field(default=5076, ge=1, le=65535, description="PV Access UDP port of searches")
    check_names: bool = Field(default=True, description="refuse to start when another server answers one of our names")
    check_timeout_s: float = Field(default=0.4, gt=0.0, le=0.5, description="how long to wait for such an answer")


class ModelConfig(Section):
    """The beam dynamics."""

    momentum: Literal["orbit", "frequency"] = Field(
        default="frequency",
        description="what fixes the momentum deviation: `frequency`: the RF frequency fixes the closed orbit's path "
        "length, as in a real ring; `orbit`: only a change of the RF frequency moves it, as codes at fixed momentum do",
    )
    timeout_s: float = Field(
        default=0.8,
        gt=0.0,
        description="a computation that takes longer is left behind, and outputs become INVALID; a new one is begun",
    )
    max_wait_s: float = Field(
        default=0.9,
        gt=0.0,
        description="longest time from a setpoint to the result that contains it; then outputs become INVALID",
    )


class PublishConfig(Section):
    """Readings."""

    repeat_hz: float = Field(
        default=1.0,
        ge=0.0,
        le=50.0,
        description="how often orbit and tune readings are repeated with a fresh time stamp; 0 is never",
    )


class RecorderConfig(Section):
    """The journal."""

    journal: Path | None = Field(default=None, description="file of the journal; by default one a machine and prefix")
    restore: bool = Field(default=False, description="start with the settings that the last server left in the journal")


class StoreConfig(Section):
    """The embedded document store."""

    path: Path | None = Field(default=None, description="file of the store; by default in the user's data folder")


class AccessRule(Section):
    """Who may do what with which PVs."""

    pvs: tuple[str, ...] = Field(
        default=("*",),
        min_length=1,
        description="whole PV names, prefix included; `*` and `?` stand for any characters",
    )
    users: tuple[str, ...] = Field(default=(), description="user groups that the rule is about; none given: all users")
    hosts: tuple[str, ...] = Field(default=(), description="host groups that the rule is about; none given: all hosts")
    allow: Literal["none", "read", "write"] = Field(description="what is allowed; who may write may read")


class AccessConfig(Section):
    """Access rights over both protocols. Users name themselves: a rule on users is no authentication."""

    user_groups: dict[str, tuple[str, ...]] = Field(default={}, description="group -> user names, as in a UAG of EPICS")
    host_groups: dict[str, tuple[str, ...]] = Field(
        default={"loopback": ("127.0.0.0/8", "::1")},
        validate_default=True,
        description="group -> IP addresses or networks, as in a HAG of EPICS; `loopback` is there unless given",
    )
    rules: tuple[AccessRule, ...] = Field(
        default=(AccessRule(hosts=("loopback",), allow="write"), AccessRule(allow="read")),
        description="the first rule that is about a client and a PV decides; no rule: neither read nor written",
    )

    @field_validator("host_groups")
    @classmethod
    def _networks(cls, groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, networks in groups.items():
            for network in networks:
                try:
                    ip_network(network)
                except ValueError as error:
                    raise ValueError(f"host group {name!r}: {error}; give IP addresses or networks") from error
        return {"loopback": ("127.0.0.0/8", "::1")} | groups

    @model_validator(mode="after")
    def _groups_are_known(self) -> "AccessConfig":
        for number, rule in enumerate(self.rules, 1):
            for kind, named, known in (
                ("user", rule.users, self.user_groups),
                ("host", rule.hosts, self.host_groups),
            ):
                if unknown := sorted(set(named) - set(known)):
                    there = ", ".join(sorted(known)) or "none"
                    raise ValueError(f"rule {number} names the {kind} group {unknown[0]!r}; there are {there}")
        return self


class GuardConfig(Section):
    """What one client, or all of them, may use up. The limits count for each protocol on its own."""

    max_connections: int = Field(default=2000, ge=1, description="connections at a time; more are closed at once")
    max_connections_per_address: int = Field(
        default=1200, ge=1, description="connections at a time from one address: one host leaves room for others"
    )
    max_message_bytes: int = Field(
        default=2**20, ge=2**14, description="a client that announces a longer message is disconnected"
    )
    max_growth_bytes: int = Field(
        default=2**30,
        ge=2**28,
        description="memory that the process may take on top of what it has at its start: what a client makes it ask "
        "for beyond that fails",
    )
    max_clients_bytes: int = Field(
        default=2**29,
        ge=2**24,
        description="memory that all clients of both protocols may take together; when the process has grown by more, "
        "those that do not read, or hold the most, are disconnected",
    )
    max_subscriptions: int = Field(
        default=50_000, ge=1, description="channels, and subscriptions, that one client may have"
    )
    max_waiting_bytes: int = Field(
        default=2 * 2**20,
        ge=2**16,
        description="a client with more than this unread gets only newest values, and no answers until it reads",
    )
    handshake_s: float = Field(
        default=5.0, gt=0.0, description="a client that has not said by then what it speaks is disconnected"
    )
    stalled_s: float = Field(
        default=30.0, gt=0.0, description="a client that has values waiting and reads nothing this long is disconnected"
    )

    @model_validator(mode="after")
    def _clients_fit_into_the_process(self) -> "GuardConfig":
        if self.max_clients_bytes >= self.max_growth_bytes:
            raise ValueError(
                f"max_clients_bytes is {self.max_clients_bytes}; it must be less than max_growth_bytes, which is "
                f"{self.max_growth_bytes}: else memory is refused before a client is disconnected"
            )
        return self


class ForksConfig(Section):
    """More twins in this server, each with a prefix, a lattice and a journal of its own (gnomon fork)."""

    most: int = Field(default=4, ge=0, le=50, description="so many at a time; 0 is none")
    start: dict[str, str] = Field(
        default={}, description="forks to make at the start: name -> prefix; their lattice is that of the server's twin"
    )


Role = Literal["twin", "shadow", "machine"]


class ShadowConfig(Section):
    """The machine that a shadow follows: its PVs are read, and never written."""

    addresses: tuple[str, ...] = Field(
        default=(),
        description="where its PVs are searched for: `host` or `host:port` (UDP), as in EPICS_CA_ADDR_LIST, which does "
        "not count here; none given: there is no machine",
    )
    protocol: Literal["ca", "pva"] = Field(default="ca", description="Channel Access or PV Access")
    prefix: str = Field(default="", max_length=30, description="what the machine's PV names begin with")
    leave_alone: tuple[str, ...] = Field(
        default=(),
        description="PVs that are not watched, since the machine lacks them or should not be followed in them: "
        "names without prefix; `*` and `?` stand for any characters",
    )
    timeout_s: float = Field(
        default=2.0, ge=0.2, le=60.0, description="a machine that is silent this long is out of reach"
    )
    stale_s: float = Field(
        default=5.0, gt=0.0, description="readings whose time stamp is older, or further ahead, are not fresh"
    )
    settle_s: float = Field(
        default=0.1, ge=0.0, description="readings count again this long after the machine's last setpoint change"
    )
    monitor_noise_m: float = Field(default=1e-6, gt=0.0, description="noise of a monitor (standard deviation) [m]")
    monitor_noise_of: dict[str, float] = Field(
        default={}, description="noise of single monitors [m], by name, instead of that of all"
    )
    tune_noise: float = Field(default=1e-4, gt=0.0, description="noise of a measured tune (standard deviation)")

    @field_validator("addresses")
    @classmethod
    def _can_be_searched(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        for address in addresses:
            host, colon, port = address.partition(":")
            if not host or host != host.strip() or (colon and not (port.isdecimal() and 0 < int(port) < 65536)):
                raise ValueError(f"{address!r} is no address: give host, or host:port")
        return addresses

    @field_validator("monitor_noise_of")
    @classmethod
    def _positive(cls, noise: dict[str, float]) -> dict[str, float]:
        for name, value in noise.items():
            if not value > 0.0:
                raise ValueError(f"monitor {name!r}: noise must be positive, got {value!r}")
        return noise


class Config(Section):
    """Everything that can be configured."""

    role: Role = Field(
        default="twin",
        description="`twin`: on its own; `shadow`: follows the machine of section `shadow`; `machine`: plays the real "
        "machine, under its names",
    )

    machine: str = Field(default="bessy2", description="name of a shipped machine, or the file of a machine document")
    pvs: str | None = Field(
        default=None,
        min_length=1,
        description="names of the PVs: a PV document by its name or its file (.json); by default the machine's own",
    )
    prefix: str = Field(
        default="TWIN:",
        max_length=30,
        pattern=r"^[A-Za-z0-9_:.;<>\[\]{}/+-]*$",
        description="put before every PV name; may be empty",
    )
    network: NetworkConfig = NetworkConfig()
    model: ModelConfig = ModelConfig()
    publish: PublishConfig = PublishConfig()
    recorder: RecorderConfig = RecorderConfig()
    store: StoreConfig = StoreConfig()
    forks: ForksConfig = ForksConfig()
    access: AccessConfig = AccessConfig()
    guard: GuardConfig = GuardConfig()
    shadow: ShadowConfig = ShadowConfig()

    @model_validator(mode="after")
    def _shadow_has_a_machine(self) -> "Config":
        if self.role == "shadow" and not self.shadow.addresses:
            raise ValueError("role shadow needs a machine: give its address as shadow.addresses, or by --follow HOST")
        return self

    def journal(self) -> Path:
        """File of the journal, by default one for each machine and prefix."""
        if self.recorder.journal is not None:
            return self.recorder.journal.expanduser()
        name = f"{Path(self.machine).stem}.{_label(self.prefix)}.journal"
        return _home("XDG_STATE_HOME", ".local/state") / name

    def forked(self, prefix: str) -> "Config":
        """That of a fork: a twin with another prefix and a journal of its own beside ours. Raises ConfigError."""
        journal = self.recorder.journal
        if journal is not None:
            journal = journal.with_name(f"{journal.stem}.{_label(prefix)}{journal.suffix}")
        recorder = {"journal": None if journal is None else str(journal)}
        return changed(self, {"role": "twin", "prefix": prefix, "recorder": recorder})

    def store_path(self) -> Path:
        """File of the embedded document store."""
        if self.store.path is not None:
            return self.store.path.expanduser()
        return _home("XDG_DATA_HOME", ".local/share") / "documents.sqlite"


def read_config(path: Path | None = None) -> Config:
    """The configuration in a file, by default the shipped one. Raises ConfigError with file, line, key and reason."""
    path = path or SHIPPED
    try:
        text = read_bounded(path, MAX_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if (repeated := _repeated(root)) is not None:
        raise ConfigError(f"{path}:{repeated[1]}: key {repeated[0]!r} is given twice")
    try:
        return Config.model_validate({} if data is None else data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        location = first["loc"]
        key = ".".join(str(part) for part in location)
        line = _line(root, location)
        if first["type"] == "extra_forbidden":
            reason = f"unknown key {key!r}; there are {', '.join(_known(location[:-1]))}"
        else:
            reason = f"{key or 'the document'}: {first['msg'][0].lower()}{first['msg'][1:]}, got {first['input']!r}"
        raise ConfigError(f"{path}:{line}: {reason}") from error


def changed(config: Config, changes: Mapping[str, Any]) -> Config:
    """The configuration with some settings changed, section by section. Raises ConfigError for what cannot be."""
    data = config.model_dump(mode="json")
    for key, value in changes.items():
        data[key] = data[key] | value if isinstance(value, Mapping) else value
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{key}: {first['msg'][0].lower()}{first['msg'][1:]}, got {first['input']!r}") from error


def _repeated(node: yaml.Node | None) -> tuple[str, int] | None:
    """The first key that is given twice in one section, with its line."""
    if not isinstance(node, yaml.MappingNode):
        return None
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            return key.value, key.start_mark.line + 1
        seen.add(key.value)
        if (inner := _repeated(value)) is not None:
            return inner
    return None


def _line(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """Line of a key, or of the nearest part around it, counted from 1."""
    line = node.start_mark.line + 1 if node is not None else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _known(location: tuple[int | str, ...]) -> list[str]:
    model: Any = Config
    for part in location:
        # An item of a list is described by the list's one type.
        model = get_args(model)[0] if isinstance(part, int) else model.model_fields[part].annotation
    return list(model.model_fields)


def _label(prefix: str) -> str:
    """A prefix as a part of a file's name."""
    return "".join(c if c.isalnum() else "-" for c in prefix).strip("-") or "no-prefix"


def _home(variable: str, fallback: str) -> Path:
    base = os.environ.get(variable)
    return (Path(base) if base else Path.home() / fallback) / "gnomon"
