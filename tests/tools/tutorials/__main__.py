"""Play the tutorials: `PYTHONPATH=tests python -m tools.tutorials [PAGE ...] [--write] [--pictures] [--fresh]`.

Without options, shows where a page says something else than what its commands print; the exit code is 1 then.
"""

import argparse
import subprocess
import sys
import tempfile
import venv
from contextlib import ExitStack
from pathlib import Path

from tools.tutorials.play import play
from tools.tutorials.terminal import programs_here

ROOT = Path(__file__).parents[3]
#: Every page whose commands are played.
PAGES = (
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "tutorials").glob("your_*.md")),
    ROOT / "docs" / "how-to" / "inject_faults.md",
    ROOT / "docs" / "how-to" / "run_a_shadow.md",
    ROOT / "docs" / "how-to" / "snapshots_and_forks.md",
    ROOT / "docs" / "how-to" / "train_an_agent.md",
    ROOT / "docs" / "how-to" / "use_bluesky.md",
)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", type=Path, help="pages to play (all that are played)")
    parser.add_argument("--write", action="store_true", help="put what was printed into the pages")
    parser.add_argument("--pictures", action="store_true", help="draw the pictures of terminals again")
    parser.add_argument("--fresh", action="store_true", help="install gnomon into a new environment and play there")
    given = parser.parse_args()
    with ExitStack() as stack:
        programs = programs_here()
        path: str | None = str(ROOT / "src")
        if given.fresh:
            programs, path = _install(Path(stack.enter_context(tempfile.TemporaryDirectory()))), None
        different = 0
        for page in given.pages or PAGES:
            found = play(page.resolve(), programs, path, write=given.write, pictures=given.pictures)
            different += len(found)
            print(*found, f"{page.name}: {len(found)} outputs {'rewritten' if given.write else 'differ'}", sep="\n")
    return int(different > 0 and not given.write)


def _install(folder: Path) -> Path:
    """Install this checkout, with what the tutorials use, as a user does; the folder of its commands."""
    print("installing gnomon into a new environment ...", flush=True)
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"{ROOT}[import,study,watch]"], check=True)
    return folder / "bin"


if __name__ == "__main__":
    sys.exit(main())
