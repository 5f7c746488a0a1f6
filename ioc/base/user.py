"""Name of the user who runs this process."""

import getpass


def user_name() -> str:
    """Their name, as the journal, snapshots and the machine that we follow are told."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # nobody of that number has a name
        return "unknown"
