"""A shadow follows a running machine. It reads the machine's PVs and has no means to write one (decision 25)."""
