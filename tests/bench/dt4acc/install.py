#!/usr/bin/env python3
"""Install dt4acc, the digital twin that gnomon is compared with, into a virtual environment of its own.

    python tests/bench/dt4acc/install.py [--again]

Nothing of it is patched. It never gets into gnomon's own environment: it pulls in a web framework and a database
client.
"""

import argparse
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from environments import Environment, NotInstalled

# dt4acc-lib 0.9.0, which pip would take, is an empty wheel: hence 0.4.2. The extra `epics` brings softioc and p4p,
# `bessyii` lat2db, whose factory builds the ring from the JSON file in dt4acc's wheel; no database is contacted.
DT4ACC = Environment(
    "dt4acc",
    ("dt4acc[epics,bessyii]==0.9.1", "dt4acc-lib==0.4.2"),
    "import at, lat2db, p4p, softioc, dt4acc.custom_facility, dt4acc_lib.pyat_simulator",
)
SERVER_MODULE = "dt4acc.custom_facility.bessyii.run_bessyii_twin"
# The console script dt4acc_bessyii calls a coroutine function without awaiting it and ends at once: hence the module.


def server_command() -> list[str]:
    """Starts its BESSY II. It ends in a Python console: it serves as long as its standard input is open."""
    return [str(DT4ACC.python), "-m", SERVER_MODULE]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="even if it is installed already")
    try:
        versions = DT4ACC.install(again=parser.parse_args().again)
    except NotInstalled as error:
        sys.exit(str(error))
    print(f"dt4acc {versions['dt4acc']}, dt4acc-lib {versions['dt4acc-lib']} in {DT4ACC.folder}")
    print(f"serve with: DT4ACC_PREFIX=DT {' '.join(server_command())}")


if __name__ == "__main__":
    main()
