"""Write docs/reference/modules.md: every module in one line, by the first line of its docstring."""

import ast
from pathlib import Path

from tools.folders import FOLDERS, ROOT
from tools.syntax import docstring

PAGE = ROOT / "docs/reference/modules.md"

HEADING = """# All modules

The first line of each module's docstring, in the order of the layers; written by `cd tests && python -m
tools.module_index`. Which to change for what, by example: [architecture](../explanations/architecture.md).
"""


def first_line(module: Path) -> str:
    """First sentence of a module's docstring, up to its first line break, fit for a table."""
    return docstring(module).partition("\n")[0].replace("|", "\\|")


def has_code(module: Path) -> bool:
    """Tell whether a module defines something: a package's own usually only says what is public."""
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return any(isinstance(node, defined) for node in ast.parse(module.read_text(encoding="utf-8")).body)


def page() -> str:
    """Build the page: a table for each package with modules of its own."""
    parts = [HEADING]
    for folder in FOLDERS:
        packages = sorted({module.parent for module in (ROOT / folder).rglob("*.py")})
        for package in packages:
            modules = sorted(package.glob("*.py"), key=lambda module: (module.stem != "__init__", module.stem))
            name = package.relative_to(ROOT).as_posix()
            rows = [
                f"| `{module.name}` | {first_line(module)} |"
                for module in modules
                if module.stem != "__init__" or has_code(module)
            ]
            about = first_line(package / "__init__.py") if (package / "__init__.py").exists() else ""
            parts.append(f"\n## {name}/\n\n{about}\n")
            if rows:
                parts.append("\n| module | |\n|---|---|\n" + "\n".join(rows) + "\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
