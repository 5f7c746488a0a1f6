"""The page of all modules is what the tool writes, and every module says in one line what it is."""

from tools.folders import FOLDERS, ROOT
from tools.module_index import PAGE, first_line, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "cd tests && python -m tools.module_index"


def test_every_module_has_a_line_of_its_own() -> None:
    modules = [module for folder in FOLDERS for module in (ROOT / folder).rglob("*.py")]
    lines = [first_line(module) for module in modules]
    assert [module for module, line in zip(modules, lines, strict=True) if len(line) < 15] == []
    assert len(set(lines)) == len(lines)


def test_the_page_covers_every_folder_of_the_package() -> None:
    root_folders = {link.name for link in (ROOT / "src/gnomon").iterdir() if link.is_symlink() and link.is_dir()}
    assert root_folders == set(FOLDERS)
