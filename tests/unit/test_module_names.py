"""One file name means one thing: who searches for a module by its name finds one."""

from collections import defaultdict

from tools.folders import FOLDERS, ROOT

#: Folders whose modules have the names of what a user types (`gnomon config`), or that a group of faults is about.
NAMED_BY_RULE = ("cli/", "fault_injection/kinds/")
#: Names that mean the same in each folder.
ALIKE = {"__init__.py", "errors.py"}


def test_no_two_modules_have_the_same_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if path.name not in ALIKE and not place.startswith(NAMED_BY_RULE):
            places[path.name].append(place)
    assert [those for those in places.values() if len(those) > 1] == []
