"""The downstreams of a configuration, with their secrets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gnomon.ioc.base.config import Config
from gnomon.services.access_tokens import find_tokens
from gnomon.services.forward.downstream import Downstream
from gnomon.services.forward.feeder import Source
from gnomon.services.forward.forwarder import ForwardError
from gnomon.services.forward.secret_texts import read_secret

__all__ = ["NAMES", "configured_downstreams", "source_of"]

#: All downstreams that a configuration can have.
NAMES = ("mqtt", "mongodb", "tiled", "logbook")


def source_of(config: Config, journal: Path | None = None, results: Path | None = None) -> Source:
    """Find the journal and the folder of results that a configuration means; what is given takes precedence."""
    journal = config.journal() if journal is None else journal
    return Source(journal, config.results_folder() if results is None else results)


@contextmanager
def configured_downstreams(config: Config) -> Iterator[list[Downstream]]:
    """Make the downstreams of a configuration. Raises GnomonError: none, a library or a secret that is missing."""
    settings = config.forward
    if not settings.is_used:
        raise ForwardError(
            "the configuration has nothing to forward to: give forward.mqtt.host, forward.mongodb.uri, "
            "forward.logbook.url, or forward.tiled.enabled"
        )
    made: list[Downstream] = []
    server = None
    try:
        if settings.mqtt.host:
            from gnomon.services.forward.mqtt_downstream import MqttDownstream
            from gnomon.services.forward.mqtt_requests import Requests
            from gnomon.services.forward.server_access import ServerAccess

            server = ServerAccess()
            requests = None
            if settings.mqtt.requests:
                requests = Requests(server, find_tokens(config.services_token(), settings.mqtt.token_file))
            password = read_secret(settings.mqtt.password_file, "GNOMON_MQTT_PASSWORD")
            made.append(MqttDownstream(settings.mqtt, password, server.read_state, requests))
        if settings.mongodb.uri:
            from gnomon.services.forward.mongodb_downstream import MongodbDownstream

            password = read_secret(settings.mongodb.password_file, "GNOMON_MONGODB_PASSWORD")
            made.append(MongodbDownstream(settings.mongodb, password))
        if settings.tiled.enabled:
            from gnomon.services.forward.tiled_downstream import TiledDownstream

            if config.results.tiled is None:
                raise ForwardError("forward.tiled.enabled needs the address of a catalogue: results.tiled")
            made.append(TiledDownstream(config.results.tiled))
        if settings.logbook.url:
            from gnomon.services.forward.logbook_downstream import LogbookDownstream

            token = read_secret(settings.logbook.token_file, "GNOMON_LOGBOOK_TOKEN")
            made.append(LogbookDownstream(settings.logbook, token))
        yield made
    finally:
        if server is not None:
            server.close()
