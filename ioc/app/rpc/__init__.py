"""The remote procedures of a twin over PV Access: settings as one command, faults, forks."""
