"""The environment of a test session: set at its begin, as it was at its end."""

from gnomon.testing.session import Session


def test_variables_lead_to_the_session_s_servers_and_are_put_back_at_its_end() -> None:
    before = {"PATH": "/bin", "EPICS_CA_ADDR_LIST": "192.0.2.1", "EPICS_CA_MAX_ARRAY_BYTES": "9", "GNOMON_PREFIX": "X:"}
    environ = dict(before)
    session = Session(lambda text: None, "T:", environ)
    try:
        assert environ["EPICS_CA_ADDR_LIST"] == session.variables["EPICS_CA_ADDR_LIST"]
        assert "192.0.2.1" not in environ.values()
        assert "EPICS_CA_MAX_ARRAY_BYTES" not in environ
        assert environ["GNOMON_SERVER"] == "epics"  # not the server that the user runs
        assert environ["GNOMON_PREFIX"] == "T:"
    finally:
        session.close()
    assert environ == before
