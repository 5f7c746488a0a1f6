"""The figures of the services themselves for Prometheus: lattices, jobs, streams, calculations."""

from collections import Counter
from collections.abc import Iterator

from gnomon._version import __version__
from gnomon.ioc.base.exposition import Family
from gnomon.services.calculations import Calculations
from gnomon.services.event_stream import EventStreams
from gnomon.services.job_runner import JobRunner
from gnomon.services.lattice_store import LatticeStore


def service_figures(
    store: LatticeStore, jobs: JobRunner, streams: EventStreams, calculations: Calculations
) -> Iterator[Family]:
    """List the figures. Those of a running server are at its own port (`metrics.port`)."""
    yield Family("gnomon_services_info", "the services: version", [({"version": __version__}, 1.0)])
    yield Family(
        "gnomon_services_ready", "whether calculations are made (1) or too many hang (0)",
        [({}, float(not calculations.stuck))],
    )  # fmt: skip
    yield Family("gnomon_services_lattices", "lattices that are kept", [({}, float(len(store)))])
    states = Counter(job.state for job in jobs.jobs())
    yield Family(
        "gnomon_services_jobs", "jobs that are known, by state",
        [({"state": state}, float(count)) for state, count in sorted(states.items())],
    )  # fmt: skip
    yield Family("gnomon_services_streams", "streams of events that are open", [({}, float(streams.open))])
    yield Family(
        "gnomon_services_calculations_hung", "abandoned calculations that still run", [({}, float(calculations.hung))]
    )
