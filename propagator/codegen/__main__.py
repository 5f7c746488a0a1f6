"""Write the generated modules: `python -m gnomon.propagator.codegen`."""

import sys
from pathlib import Path

from gnomon.propagator.codegen.generated_modules import MODULES

FOLDER = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    for name, source in MODULES.items():
        (FOLDER / name).write_text(source(), encoding="utf-8")
        sys.stdout.write(f"{name}\n")
