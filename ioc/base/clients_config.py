"""Sections of the configuration about clients of a server: their rights, and limits on what they take."""

from ipaddress import ip_network
from typing import Literal

from pydantic import Field, field_validator, model_validator

from gnomon.ioc.base.section import Section

__all__ = ["AccessConfig", "AccessRule", "GuardConfig"]


class AccessRule(Section):
    """A right of some clients on some PVs."""

    pvs: tuple[str, ...] = Field(
        default=("*",),
        min_length=1,
        description="patterns of full PV names, including the prefix, with the wildcards `*` and `?`",
    )
    users: tuple[str, ...] = Field(default=(), description="user groups that the rule applies to; empty: all users")
    hosts: tuple[str, ...] = Field(default=(), description="host groups that the rule applies to; empty: all hosts")
    allow: Literal["none", "read", "write"] = Field(description="access that the rule gives; `write` includes reading")


class AccessConfig(Section):
    """Access rights over both protocols. Clients state their own user names: a rule on users is not authentication."""

    user_groups: dict[str, tuple[str, ...]] = Field(
        default={}, description="user names of each group, as in an EPICS user access group (UAG)"
    )
    host_groups: dict[str, tuple[str, ...]] = Field(
        default={"loopback": ("127.0.0.0/8", "::1")},
        validate_default=True,
        description="IP addresses or networks of each group, as in an EPICS host access group (HAG); `loopback` is "
        "predefined",
    )
    rules: tuple[AccessRule, ...] = Field(
        default=(AccessRule(hosts=("loopback",), allow="write"), AccessRule(allow="read")),
        description="access rules; the first one that applies to a client and a PV decides; if none applies, the "
        "client may neither read nor write the PV",
    )

    @field_validator("host_groups")
    @classmethod
    def _networks(cls, groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, networks in groups.items():
            for network in networks:
                try:
                    ip_network(network)
                except ValueError as error:
                    raise ValueError(f"host group {name!r}: {error}; use IP addresses or networks") from error
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
                    raise ValueError(
                        f"rule {number} names the unknown {kind} group {unknown[0]!r}; known groups: {there}"
                    )
        return self


class GuardConfig(Section):
    """Limits on the resources of one client or of all clients. Unless stated, they count for each protocol alone."""

    max_connections: int = Field(
        default=2000, ge=1, description="number of connections at a time; further ones are closed immediately"
    )
    max_connections_per_address: int = Field(
        default=1200, ge=1, description="number of connections at a time from one IP address; the rest is for others"
    )
    max_message_bytes: int = Field(
        default=2**20,
        ge=2**14,
        description="size of one message from a client [bytes]; a client that announces a longer one is disconnected",
    )
    max_growth_bytes: int = Field(
        default=2**30,
        ge=2**28,
        description="memory that the process may take in addition to its memory at the start [bytes]; requests for "
        "more fail",
    )
    max_clients_bytes: int = Field(
        default=2**29,
        ge=2**24,
        description="memory that all clients of both protocols may take together [bytes]; if the process has grown by "
        "more, clients that do not read, or hold the most memory, are disconnected",
    )
    max_subscriptions: int = Field(
        default=50_000, ge=1, description="number of channels, and number of subscriptions, of one client"
    )
    max_waiting_bytes: int = Field(
        default=2 * 2**20,
        ge=2**16,
        description="unread data of one client [bytes]; beyond that, it gets only the newest values, and no answers "
        "until it reads",
    )
    handshake_s: float = Field(
        default=5.0,
        gt=0.0,
        description="time allowed for a client's first valid message [s]; then it is disconnected",
    )
    stalled_s: float = Field(
        default=30.0,
        gt=0.0,
        description="time that a client may leave waiting values unread [s]; then it is disconnected",
    )

    @model_validator(mode="after")
    def _clients_fit_into_the_process(self) -> "GuardConfig":
        if self.max_clients_bytes >= self.max_growth_bytes:
            raise ValueError(
                f"max_clients_bytes is {self.max_clients_bytes}; it must be less than max_growth_bytes, which is "
                f"{self.max_growth_bytes}: otherwise memory is refused before a client is disconnected"
            )
        return self
