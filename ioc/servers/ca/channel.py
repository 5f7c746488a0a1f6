"""A client's channel to something, and the rights to it."""

from gnomon.ioc.servers.access import AccessRules, Rights
from gnomon.ioc.servers.ca.directory import Hosted
from gnomon.ioc.servers.ca.points import Point
from gnomon.ioc.servers.ca.publisher import Subscription


class Channel:
    """A client's channel to something."""

    __slots__ = ("cid", "hosted", "point", "rights", "sid", "subscriptions", "unreadable")

    def __init__(self, sid: int, cid: int, hosted: Hosted, point: Point, rights: Rights) -> None:
        self.sid = sid
        self.cid = cid
        self.hosted = hosted
        self.point = point
        self.rights = rights
        self.subscriptions: set[int] | None = None  # most channels have none
        self.unreadable: dict[int, Subscription] | None = None  # those that wait for the right to read

    @property
    def name(self) -> str:
        """Name of the record."""
        return self.hosted.name_of(self.point)

    @property
    def shown_rights(self) -> Rights:
        """Rights that the client is told: nobody can write what is read-only."""
        point, spec = self.point, self.hosted.bank.specs[self.point.index]
        writable = spec.writable or (point.field is not None and point.field.processes)
        return self.rights if writable else self.rights & ~Rights.WRITE


def rights_to(hosted: Hosted, point: Point, access: AccessRules, user: str, address: str) -> Rights:
    """Return a client's right to something: by the access rules, and by what an injected fault denies now."""
    name = hosted.name_of(point)
    rights = access.rights(name, user, address)
    if point.field is not None and not point.field.processes:
        rights &= ~Rights.WRITE
    if not hosted.gate.idle and hosted.gate.is_denied(name):
        rights = Rights.NONE if hosted.gate.is_denied(name, reading=True) else rights & ~Rights.WRITE
    return rights
