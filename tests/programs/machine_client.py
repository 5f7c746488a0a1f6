"""Checks that gnomon's own client of a machine keeps its contract on the one of `caproto_machine`."""

from gnomon.recorder.epics_machine import EpicsMachine
from unit.recorder.machine_contract import check_machine_client

if __name__ == "__main__":
    check_machine_client(EpicsMachine())
