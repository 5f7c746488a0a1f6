"""Phrases, names and openings of sentences that must not come back, with better ones; `make lint` runs this.

Patterns are regular expressions in which capitals count. Decision records and the changelog are not read: they tell
what was so at their time.
"""

import ast
import re
import sys
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path

from tools.folders import FOLDERS, ROOT

SUFFIXES = {".md", ".py", ".toml", ".yaml"}
NOT_READ = ("tests/tools/words.py", "tests/unit/test_words.py", "docs/decisions/", "CHANGELOG.md")

#: What is looked for, and what to write instead.
WORDS = {
    # Phrases
    r"[Ii]s not able to": "cannot",
    r"[Ii]n order to": "to",
    r"[Nn]on-valid|[Uu]nvalid": "invalid",
    r"[Ii]nformations": "information",
    r"[Aa]llows to": "allows ... to, or lets",
    # One term for one concept
    r"[Ss]et[- ]points?\b": "setpoint",
    r"[Rr]ead-backs?\b": "readback",
    r"[Bb]eam-position monitor": "beam position monitor",
    r"(?:[Cc]orrector|[Ss]teering) magnet": "steerer",
    r"[Pp]ower-suppl": "power supply",
    r"[Mm]aster-clock": "master clock",
    r"[Rr]eally write": "Write to the machine",
    r"At most so many": "Show at most this many",
    r"plays the (?:machine|dispatcher)|gnomon that plays": "stands in for",
    r"(?:[Bb]egins?|[Ss]tart(?:s|ed)?|[Ss]ave it|[Ss]aving|connects) anew": "again, or restart",
    r"[Tt]he last so many": "the most recent",
    r"has no such thing": "the noun",
    r"(?<!here )(?:is|are) no (?:number|text|PV|machine protection)\b": "is not a ...",
    r"Nobody looks any more": "the watch has ended",
    r"is none of its\b": "is not one of its ...",
    r"[Nn]ot-a-number (?:where|while|if|when)": "NaN ...",
    r"is no (?:strength|bend)\b|that are no (?:coordinates|numbers)": "is not a ...",
    r"[Dd]erivatives? by (?:a |the )?(?:momentum|coordinate|variable|parameter|current|delta)": "with respect to",
    # Names of modules that have moved
    r"gnomon\.ioc\.(?:cli|puts|beginnings|reach|descriptors|names|requests|procedures|equilibrium)\b": "the new module",
    r"gnomon\.ioc\.shadow\.(?:subjects|measured)\b": "the new module",
    r"gnomon\.ioc\.servers\.(?:accepting|ca\.partings|pva\.unshown|pva\.guard\.following)\b": "the new module",
    r"gnomon\.propagator\.(?:bodies|chromatic|pairs|reasons|rebuild)\b": "the module in propagator.live",
    r"gnomon\.(?:recorder\.(?:machine|steps)|ioc\.(?:wire|shadow\.client)\.(?:ca|pva))\b": "the new module",
    r"gnomon\.lattice\.exchange\.madx\.(?:commands|conditions|errors|files|program|reader)\b": "the new module",
    r"gnomon\.(?:ioc\.panels\.(?:found|lines)|recorder\.(?:points|document))\b": "the new module",
}

#: Names that were, whole words only, and the names that took their place.
NAMES = {
    r"_?(?:MOST|LONGEST|LARGEST|DEEPEST)(?:_[A-Z]+)*": "MAX_...",
    "UnshownPuts": "PendingPuts",
    "LostTrack": "ServerStreamError",
    "Partings": "ClosingCircuits",
    r"\w+\.amiss": "add_finding",
    "point_(?:at|now|left|before)": "state_at, state_now, last_state_of, state_before",
    "NamesTaken": "DuplicatePvError",
    "refuse_taken_names": "refuse_duplicate_pvs",
    "left_behind": "last_state",
    "beginning_at": "from_lattice",
    "make_room": "raise_open_file_limit",
    "raise_bound": "raise_memory_limit",
    "Course": "TrackingTable",
    r"Pack\(\w*": "ParticleBlocks",
    "HIGHEST_ORDER": "MAX_ORDER",
    r"(?:tables|program)\.(?:moved|framed|touching|reached)": "misaligned, has_frame, bodies_valid, arrival_maps",
    "bound_waiting": "limit_waiting",
    "looks_so": "is_format",
    "hush": "stop_posting",
    r"bell\.hang": "set_address",
    r"bell\.ring": "wake",
    r"bell\.rest": "close_if_idle",
}

PATTERNS = WORDS | {rf"\b{name}\b": new for name, new in NAMES.items()}


def letters_of(pattern: str) -> str:
    """Return letters that are in everything that a pattern finds, as many as stand together; most texts lack them."""
    variable = r"\((?:[^()]|\([^()]*\))*\)[?*+]?|\[[^]]*\][?*+]?|\\.[?*+]?|.[?*+]"
    fixed = re.sub(variable, "\0", pattern)
    return "" if "|" in fixed else max(fixed.split("\0"), key=len)


#: Of each pattern: the letters that are in all that it finds, itself, and the better words.
SEARCHES = tuple((letters_of(pattern), re.compile(pattern), better) for pattern, better in PATTERNS.items())

#: First words that no docstring and no test has: name the noun first, or say in the imperative what the function does.
QUESTION = "What|Whatever|Whether|Where|Wherever|Who|Whose|How|Which|When|Whenever|Why"
OPENING = re.compile(rf"(?:{QUESTION})\b")
#: What a file with such a docstring contains; only such files are parsed.
QUOTED_OPENING = re.compile(rf'"""\s*(?:{QUESTION})\b')
TEST_OPENING = re.compile(rf"\bdef (test_(?:{QUESTION.lower()})_\w*)")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def findings(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line number, what was found and what to write instead."""
    # One pattern after the other takes a sixth of the time of one pattern of them all.
    found = [
        (match.start(), match.group(), better)
        for letters, pattern, better in SEARCHES
        if letters in text
        for match in pattern.finditer(text)
    ]
    ends = [match.start() for match in re.finditer("\n", text)] if found else []
    for start, words, better in sorted(found):
        yield bisect(ends, start) + 1, words, better


def openings(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, first word and advice for each docstring of a module that opens with a question word."""
    if not QUOTED_OPENING.search(source):
        return
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and (match := OPENING.match(ast.get_docstring(node) or "")):
            yield node.body[0].lineno, match.group(), "the noun first, or the imperative"


def openings_of_test_names(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, name and advice for each test whose name opens with a question word."""
    for match in TEST_OPENING.finditer(source):
        yield source.count("\n", 0, match.start()) + 1, match.group(1), "the noun first, and what is promised of it"


def texts() -> Iterator[Path]:
    """Every file that people read: sources, tests, documentation, settings."""
    yield from (path for path in sorted(ROOT.glob("*")) if path.suffix in SUFFIXES)
    for folder in (*FOLDERS, "tests", "docs"):
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES)


def main() -> int:
    """Print file, line, finding and better words; return 1 if there are findings."""
    count = 0
    for path in texts():
        name = path.relative_to(ROOT).as_posix()
        if path.is_symlink() or name.startswith(NOT_READ):
            continue
        text = path.read_text(encoding="utf-8")
        found_here = [*findings(text)]
        if path.suffix == ".py":
            found_here += [*openings(text), *openings_of_test_names(text)]
        for line, found, better in sorted(found_here):
            print(f"{name}:{line}: '{found}': write: {better}")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
