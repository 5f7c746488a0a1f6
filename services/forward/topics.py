"""Names of topics: `gnomon/<prefix>/commands` and so on. A prefix becomes one level, and no two become the same."""

from dataclasses import dataclass

from gnomon.services.forward.forward_messages import Kind

__all__ = ["Topics", "topic_level"]

#: Stands for the empty prefix; `topic_level` makes it of no other one.
NO_PREFIX = "%empty"
#: Characters that separate levels, are wildcards, mark topics of the broker, or mark themselves.
_SPECIAL = "/+#$%"


def topic_level(prefix: str) -> str:
    """Write a prefix as one level of a topic: other characters as %XX, in UTF-8; the empty prefix as `NO_PREFIX`."""
    if not prefix:
        return NO_PREFIX
    return "".join(
        c if c not in _SPECIAL and c.isprintable() else "".join(f"%{byte:02X}" for byte in c.encode("utf-8", "replace"))
        for c in prefix
    )


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of a server, below `root`."""

    root: str
    prefix: str

    @property
    def base(self) -> str:
        """Beginning of all topics of the server, without a slash at the end."""
        return f"{self.root}/{topic_level(self.prefix)}"

    def of(self, kind: Kind, prefix: str) -> str:
        """Topic of an item, under the prefix that the server had then."""
        return f"{self.root}/{topic_level(prefix)}/{kind}"

    @property
    def online(self) -> str:
        """`online` or `offline`, retained: whether the forwarding process is connected."""
        return f"{self.base}/online"

    @property
    def state(self) -> str:
        """The server's state, retained."""
        return f"{self.base}/state"

    @property
    def settings(self) -> str:
        """Requests of settings."""
        return f"{self.base}/request/settings"

    @property
    def faults(self) -> str:
        """Requests about faults."""
        return f"{self.base}/request/faults"

    def may_answer_at(self, topic: str) -> bool:
        """Tell whether an answer may go to a topic that a client named: none of ours, nor of the broker's."""
        own = topic == self.root or (topic.startswith(f"{self.root}/") and "/answer/" not in topic)
        return bool(topic) and len(topic) <= 500 and not own and topic[0] != "$" and not set("#+\0") & set(topic)
