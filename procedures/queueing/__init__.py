"""Procedures as plans for bluesky-queueserver, the Run Engine as a service: the same devices, plans and results.

`gnomon export queueserver` writes a start-up folder whose file calls `worker_namespace`. This package needs the extra
`gnomon[queue]` when it is used.
"""

from gnomon.procedures.queueing.queue_worker import WorkerSettings, worker_namespace
from gnomon.procedures.queueing.startup_folder import StartFiles, start_files

__all__ = ["StartFiles", "WorkerSettings", "start_files", "worker_namespace"]
