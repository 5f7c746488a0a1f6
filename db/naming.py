"""From a device's name to the parts that a facility's PV names are made of.

A rule is a regular expression for whole names; its named groups become placeholders, so `(?P<family>Q\\d)M(?P<n>\\d)R`
gives `{family}` and `{n}`. `words` say what is written instead of what was found; without a word it stays.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from gnomon.lattice import DocumentError

#: `{part}`, or `{part:02}`: a number with leading zeros to that width. `{name}` is always there: the device's own name.
PLACEHOLDER = re.compile(r"\{(\w+)(?::0([1-9]))?\}")


@dataclass(frozen=True)
class Naming:
    """The rules of one PV document, in order: the first that fits a name counts. `words` belong to a part's name."""

    rules: Sequence[str] = ()
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(rule) for rule in self.rules)

    def parts(self, device: str) -> Mapping[str, str]:
        """Return what each placeholder stands for, for one device."""
        match = next(filter(None, (rule.fullmatch(device) for rule in self._compiled)), None)
        found = {part: text for part, text in match.groupdict().items() if text is not None} if match else {}
        return {"name": device} | {part: self.words.get(part, {}).get(text, text) for part, text in found.items()}

    def fill(self, template: str, device: str) -> str:
        """A template with its placeholders filled. Raises DocumentError when one stands for nothing."""
        if not device:
            return template
        template = template.replace("{name}", device)
        if "{" not in template:
            return template
        parts = self.parts(device)

        def written(match: re.Match[str]) -> str:
            part, width = match.groups()
            if part not in parts:
                raise DocumentError(
                    f"device {device!r} has no {{{part}}}; it has {', '.join(parts)}: "
                    "add a rule to `names` that fits its name and has that group"
                )
            if width is None:
                return parts[part]
            if not parts[part].isdecimal():
                raise DocumentError(f"device {device!r}: {{{part}:0{width}}} needs a number, not {parts[part]!r}")
            return parts[part].zfill(int(width))

        return PLACEHOLDER.sub(written, template)


def fault_in(rules: Sequence[str], words: Mapping[str, Mapping[str, str]]) -> str | None:
    """Find what is wrong with rules and words before any device is named, as place and reason."""
    groups: set[str] = set()
    for i, rule in enumerate(rules):
        try:
            groups |= re.compile(rule).groupindex.keys()
        except re.error as error:
            return f"names[{i}]: {rule!r} is not a regular expression: {error}"
    if "name" in groups:
        return "names: no group may be called 'name': {name} is the device's own name"
    for part in words:
        if part not in groups:
            return f"words.{part}: no rule in `names` has a group {part!r}"
    return None
