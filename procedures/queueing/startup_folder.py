"""Files with which bluesky-queueserver starts: start-up code, rights of user groups, configuration. Pure texts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = ["StartFiles", "start_files"]

_STARTUP = '''\
"""Start-up code of a worker of bluesky-queueserver, written by `gnomon export queueserver`; yours to change.

Plans and devices that you define below are offered, too.
"""

from gnomon.procedures.queueing import worker_namespace

globals().update(
    worker_namespace(
{settings}
    )
)
'''

_CONFIGURATION = """\
# Configuration of bluesky-queueserver, written by `gnomon export queueserver`; yours to change.
# Both addresses are on this computer alone. On others, everybody who reaches them can run plans.
"""

_RIGHTS = """\
# Rights of user groups, written by `gnomon export queueserver`; yours to change.
"""

_ALL_PLANS = {"allowed_plans": [None], "forbidden_plans": [":^_"]}
_ALL_DEVICES = {"allowed_devices": [None], "forbidden_devices": [":^_:?.*"]}
_NO_FUNCTIONS = {"allowed_functions": [], "forbidden_functions": [None]}


@dataclass(frozen=True, slots=True)
class StartFiles:
    """Texts of the files by name, and the command that starts the queue with them."""

    texts: Mapping[str, str]
    command: str


def start_files(folder: Path, settings: Mapping[str, Any], redis: str, control_port: int, info_port: int) -> StartFiles:
    """Write texts for a start-up folder; `settings` are the keywords of `worker_namespace`.

    `redis` is HOST:PORT. The queue listens on 127.0.0.1 only: for commands at `control_port`, with news at `info_port`.
    """
    lines = "\n".join(f"        {name}={_literal(value)}," for name, value in settings.items())
    configuration = {
        "network": {
            "zmq_control_addr": f"tcp://127.0.0.1:{control_port}",
            "zmq_info_addr": f"tcp://127.0.0.1:{info_port}",
            "zmq_publish_console": True,
            "redis_addr": redis,
            "redis_name_prefix": _queue_name(settings),
        },
        "startup": {
            "keep_re": True,
            "startup_dir": str(folder / "startup"),
            "existing_plans_and_devices_path": str(folder),
            "user_group_permissions_path": str(folder),
            "device_max_depth": 1,
        },
    }
    rights = {"user_groups": {"root": _ALL_PLANS | _ALL_DEVICES | _NO_FUNCTIONS,
                              "primary": _ALL_PLANS | _ALL_DEVICES | _NO_FUNCTIONS}}  # fmt: skip
    texts = {
        "startup/startup.py": _STARTUP.format(settings=lines),
        "user_group_permissions.yaml": _RIGHTS + _yaml(rights),
        "queueserver.yaml": _CONFIGURATION + _yaml(configuration),
    }
    return StartFiles(texts, f"start-re-manager --config {folder / 'queueserver.yaml'}")


def _queue_name(settings: Mapping[str, Any]) -> str:
    """Name the queue of a ring, so that two rings can share a redis."""
    parts = ("gnomon", Path(settings["machine"]).stem, settings["prefix"])
    return re.sub(r"\W+", "_", "_".join(parts)).rstrip("_")


def _literal(value: Any) -> str:
    return repr(str(value)) if isinstance(value, Path) else repr(value)


def _yaml(document: Mapping[str, Any]) -> str:
    class Plain(yaml.SafeDumper):
        """Writes each list in full: aliases are for programs."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(document, Dumper=Plain, sort_keys=False)
