"""The trust region: steps that came as predicted make the next ones larger, near misses make them smaller. Pure."""

from dataclasses import dataclass, replace

__all__ = ["TrustRegion"]


@dataclass(frozen=True, slots=True)
class TrustRegion:
    """The largest step that is made now, as a fraction of the largest that the limits allow.

    It doubles after `grow_after` hits in a row, and halves at each near miss, between `smallest` and 1.
    """

    size: float
    smallest: float
    grow_after: int
    hits: int = 0

    def after(self, hit: bool) -> "TrustRegion":
        """Return the region after a measured step: `hit` is False for a near miss."""
        if not hit:
            return replace(self, size=max(self.smallest, 0.5 * self.size), hits=0)
        if self.hits + 1 < self.grow_after:
            return replace(self, hits=self.hits + 1)
        return replace(self, size=min(1.0, 2.0 * self.size), hits=0)
