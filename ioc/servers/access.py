"""Rules on who may read and write which PV: a subset of EPICS access security, the same over both protocols.

Users are what clients say they are: Channel Access and PV Access as served here authenticate nobody. Rules on users
keep honest people from mistakes; only rules on hosts, matched by the IP address of the peer, keep anybody out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from fnmatch import translate
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from gnomon.ioc.base.config import AccessConfig

Network = IPv4Network | IPv6Network

#: How many (user, address) pairs are remembered; clients choose their user names, so it must be bounded.
REMEMBERED = 1024


class Rights(IntFlag):
    """Right of a client to a PV; the numbers are those of Channel Access."""

    NONE = 0
    READ = 1
    WRITE = 2


GRANTS = {"none": Rights.NONE, "read": Rights.READ, "write": Rights.READ | Rights.WRITE}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be asked; None where anything matches."""

    users: frozenset[str] | None
    networks: tuple[Network, ...] | None
    matches: Callable[[str], object] | None
    rights: Rights

    def concerns(self, user: str, address: str) -> bool:
        """Tell whether the rule is about this client."""
        if self.users is not None and user not in self.users:
            return False
        return self.networks is None or _within(address, self.networks)


class AccessRules:
    """The rules of the configuration in their order: the first that is about a client and a PV decides."""

    def __init__(self, config: AccessConfig | None = None) -> None:
        config = config or AccessConfig()
        self._rules = tuple(
            Rule(
                users=_members(rule.users, config.user_groups),
                networks=_networks(rule.hosts, config.host_groups),
                matches=_matcher(rule.pvs),
                rights=GRANTS[rule.allow],
            )
            for rule in config.rules
        )
        self._about = lru_cache(REMEMBERED)(self._find)

    def rights(self, pv: str, user: str, address: str) -> Rights:
        """Return a client's right to a PV, given by the name of its record without any field.

        `user` is what the client calls itself, `address` the peer's IP address as text. A PV that no rule is about may
        be neither read nor written.
        """
        for rule in self._about(user, address):
            if rule.matches is None or rule.matches(pv):
                return rule.rights
        return Rights.NONE

    def _find(self, user: str, address: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self._rules if rule.concerns(user, address))


def _members(groups: tuple[str, ...], known: dict[str, tuple[str, ...]]) -> frozenset[str] | None:
    return frozenset(user for group in groups for user in known[group]) if groups else None


def _networks(groups: tuple[str, ...], known: dict[str, tuple[str, ...]]) -> tuple[Network, ...] | None:
    return tuple(ip_network(text) for group in groups for text in known[group]) if groups else None


def _matcher(patterns: tuple[str, ...]) -> Callable[[str], object] | None:
    if "*" in patterns:
        return None
    return re.compile("|".join(translate(pattern) for pattern in patterns)).match


def _within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        peer = ip_address(address)
    except ValueError:
        return False
    if isinstance(peer, IPv6Address) and peer.ipv4_mapped is not None:
        peer = peer.ipv4_mapped
    return any(peer in network for network in networks)
