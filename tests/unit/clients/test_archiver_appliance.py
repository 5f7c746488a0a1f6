"""The Archiver Appliance as a client: its addresses, how it is asked, and how it fails."""

import pytest

from gnomon.clients.archiver_appliance import ApplianceError, ArchiverAppliance
from unit.fake_appliance import fake_appliance

VALUE = {"secs": 1_767_222_000, "nanos": 1, "severity": 0, "status": 0, "val": 1.25}
AT_NS = 1_767_225_600_123_456_789


def test_values_at_a_time_are_asked_for_together_in_milliseconds_of_utc() -> None:
    names = [f"P{i}" for i in range(1001)]
    with fake_appliance({"P0": VALUE, "P1000": VALUE | {"val": 2}}) as appliance:
        found = ArchiverAppliance(appliance.url).values_at(names, AT_NS)
        asked = appliance.asked
    assert [(sample.pv, sample.value) for sample in found.samples] == [("P0", 1.25), ("P1000", 2)]
    query = {"at": "2026-01-01T00:00:00.123Z", "searchPeriod": "P365D"}
    assert asked == [("/retrieval/data/getDataAtTime", query)] * 3


def test_histories_are_asked_for_one_by_one_at_an_address_with_a_path() -> None:
    with fake_appliance(raw={"A": b"bytes"}) as appliance:
        told = ArchiverAppliance(f"{appliance.url}/retrieval/").history(["A", "B"], AT_NS, AT_NS + 10**9)
        assert dict(told) == {"A": b"bytes", "B": b""}
        assert appliance.asked[0] == (
            "/retrieval/data/getData.raw",
            {"pv": "A", "from": "2026-01-01T00:00:00.123Z", "to": "2026-01-01T00:00:01.123Z"},
        )


@pytest.mark.parametrize(
    "url",
    [
        "archiver:17668",
        "file:///etc/passwd",
        "ftp://archiver",
        "http://",
        "http://[::1",
        "http://a:b",
        "http://a:99999",
    ],
)
def test_an_address_that_is_none_of_an_archiver_is_refused(url: str) -> None:
    with pytest.raises(ApplianceError, match=r"use http://HOST:17668"):
        ArchiverAppliance(url)


def test_an_archiver_that_fails_or_is_away_is_named_with_the_reason() -> None:
    with fake_appliance() as appliance:
        appliance.status = 503
        with pytest.raises(ApplianceError, match=rf"{appliance.url}/retrieval: the archiver answers 503"):
            ArchiverAppliance(appliance.url).values_at(["A"], AT_NS)
        appliance.status = 404
        assert dict(ArchiverAppliance(appliance.url).history(["A"], AT_NS, AT_NS)) == {"A": b""}
        url = appliance.url
    with pytest.raises(ApplianceError, match=rf"{url}/retrieval: the archiver cannot be asked: .*refused"):
        ArchiverAppliance(url).values_at(["A"], AT_NS)


def test_an_answer_that_is_not_one_is_named() -> None:
    with fake_appliance({"A": "text"}) as appliance:
        found = ArchiverAppliance(appliance.url).values_at(["A"], AT_NS)
    assert found.unread == ["the value of A has no time or value"]


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ApplianceError) as refused:
        ArchiverAppliance("http://anna:secret@archiver:17668")
    assert "secret" not in str(refused.value)
    assert "http://HOST:17668" in str(refused.value)


def test_half_an_answer_a_large_one_and_one_without_end_are_no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_appliance({"A": VALUE}, {"A": b"x" * 100}) as appliance:
        asked = ArchiverAppliance(appliance.url)
        appliance.short_by = 7
        with pytest.raises(ApplianceError, match="the answer ended 7 bytes too early; ask again"):
            list(asked.history(["A"], AT_NS, AT_NS))
        appliance.short_by = 0
        monkeypatch.setattr("gnomon.clients.archiver_appliance.MAX_VALUES_BYTES", 10)
        with pytest.raises(ApplianceError, match=r"an answer larger than .* MiB; ask for less"):
            asked.values_at(["A"], AT_NS)
        monkeypatch.setattr("gnomon.clients.archiver_appliance.WHOLE_ANSWER", 0)
        appliance.pieces = 5
        with pytest.raises(ApplianceError, match="did not end within 0 s; ask for less, or allow more with --timeout"):
            list(asked.history(["A"], AT_NS, AT_NS))


def test_an_address_that_no_name_server_can_be_asked_for_is_an_error_of_ours() -> None:
    with pytest.raises(ApplianceError, match="the archiver cannot be asked"):
        ArchiverAppliance("http://a..b", 0.1).values_at(["A"], AT_NS)
