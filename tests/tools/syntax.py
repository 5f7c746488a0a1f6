"""Imports and docstrings of the repository's modules; each file is parsed once in a process, whoever asks."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

Import = ast.Import | ast.ImportFrom
#: Fields of a statement that hold further statements, or parts of it that do.
BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """List the import statements of a file: on its first level, for types alone, within functions."""
    return tuple(imports_of(path.read_text(encoding="utf-8")))


def imports_of(source: str) -> Iterator[Import]:
    """Yield the import statements of a text."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Import):
            yield node
        # Expressions hold no statements; leaving them out makes this five times as fast.
        waiting += [child for block in BLOCKS for child in getattr(node, block, ())]


@cache
def docstring(path: Path) -> str:
    """Return the docstring of a module, empty if it has none; what follows is not parsed."""
    source = path.read_text(encoding="utf-8")
    end = source.find('"""', 3) + 3 if source.startswith('"""') else len(source)
    return ast.get_docstring(ast.parse(source[:end])) or ""
