"""`gnomon services` as a process of a test."""

import subprocess


def until_ready(process: "subprocess.Popen[str]") -> str:
    """Return what a process says into its pipe until it is ready; one that ends before fails the test."""
    assert process.stdout is not None
    told = ""
    while not told.endswith("ready\n"):
        line = process.stdout.readline()
        assert line, told
        told += line
    return told
