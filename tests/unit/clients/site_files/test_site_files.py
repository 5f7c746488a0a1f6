"""Files for the services of a control room: complete, in the form that each service documents, within the limits."""

import json
from collections import Counter
from xml.etree.ElementTree import fromstring

import pytest

from gnomon.clients.machine_pvs import MachinePvs, find_machine_pvs
from gnomon.clients.site_files import alarm_tree, archiver_list, channel_directory, save_set
from gnomon.db.pvs import AlarmLimits, Kind


@pytest.fixture(scope="module", params=["bessy2", "mls"])
def pvs(request: pytest.FixtureRequest) -> MachinePvs:
    return find_machine_pvs(request.param, "T:")


def test_every_pv_but_tables_is_archived_once(pvs: MachinePvs) -> None:
    rows = json.loads(archiver_list(pvs.specs))
    names = Counter(row["pv"] for row in rows)
    assert set(names) == {spec.name for spec in pvs.specs if spec.kind is not Kind.TABLE}
    assert max(names.values()) == 1
    # Texts, as the appliance reads them: a number there is a cast that fails.
    assert all(row.keys() == {"pv", "samplingmethod", "samplingperiod"} for row in rows)
    assert all(isinstance(row["samplingperiod"], str) and float(row["samplingperiod"]) >= 0.1 for row in rows)
    assert {row["samplingmethod"] for row in rows} == {"MONITOR", "SCAN"}


def test_arrays_are_sampled_so_rarely_that_their_volume_is_bounded(pvs: MachinePvs) -> None:
    periods = {row["pv"]: row for row in json.loads(archiver_list(pvs.specs))}
    arrays = [spec for spec in pvs.specs if spec.kind in (Kind.FLOATS, Kind.INTS)]
    assert arrays
    for spec in arrays:
        row = periods[spec.name]
        assert row["samplingmethod"] == "SCAN"
        assert spec.length / float(row["samplingperiod"]) <= 512


def test_the_counters_of_the_server_are_sampled_and_the_beams_state_is_monitored(pvs: MachinePvs) -> None:
    rows = {row["pv"]: (row["samplingmethod"], row["samplingperiod"]) for row in json.loads(archiver_list(pvs.specs))}
    assert rows["T:dt:heartbeat"] == ("SCAN", "10.0")
    assert rows["T:beam:orbit:found"] == ("MONITOR", "0.1")


def test_the_alarm_tree_has_what_cannot_be_missed_and_each_limited_pv_once(pvs: MachinePvs) -> None:
    text, count = alarm_tree(pvs, "Ring & co")
    root = fromstring(text)
    assert (root.tag, root.get("name")) == ("config", "Ring & co")
    assert len({group.get("name") for group in root}) == len(root)
    names = [pv.get("name", "") for pv in root.iter("pv")]
    assert len(set(names)) == len(names) == count
    assert {"T:dt:recorder", "T:dt:machine:connected", "T:dt:model:hung"} <= set(names)
    limited = {(s.device, s.property) for s in pvs.specs if s.alarm != AlarmLimits()}
    watched = {(s.device, s.property) for s in pvs.specs if s.name in names}
    assert limited <= watched
    for pv in root.iter("pv"):
        assert pv.findtext("enabled") == pv.findtext("latching") == "true"
        assert pv.findtext("description")
        assert pv.findtext("guidance/details")


def test_the_directory_knows_each_property_and_tag_before_a_channel_has_it(pvs: MachinePvs) -> None:
    payloads = {part: json.loads(text) for part, text in channel_directory(pvs.specs, "ring", "us").items()}
    assert list(payloads) == ["properties", "tags", "channels"]
    known = {part: {row["name"] for row in payloads[part]} for part in ("properties", "tags")}
    assert [row["name"] for row in payloads["channels"]] == [spec.name for spec in pvs.specs]
    for row in payloads["channels"]:
        assert row["owner"] == "us"
        for part in ("properties", "tags"):
            assert {each["name"] for each in row[part]} <= known[part]
        assert all(isinstance(each["value"], str) and each["value"] for each in row["properties"])


def test_the_directory_has_unit_limits_and_policy_of_a_setpoint() -> None:
    pvs = find_machine_pvs("bessy2", "T:")
    channels = json.loads(channel_directory(pvs.specs, "bessy2", "us")["channels"])
    row = next(row for row in channels if row["name"] == "T:HS4P1D1R:set")
    values = {each["name"]: each["value"] for each in row["properties"]}
    expected = {"device": "HS4P1D1R", "engineeringUnit": "A", "driveLow": "-10", "driveHigh": "10"}
    assert values.items() >= {**expected, "archive": "monitor@0.1", "recordType": "ao"}.items()
    assert [tag["name"] for tag in row["tags"]] == ["gnomon", "setpoint"]


def test_a_save_set_has_no_setpoint_that_follows_from_another(pvs: MachinePvs) -> None:
    text, count = save_set(pvs, "all", "me")
    document = json.loads(text)
    assert (
        document["configurationNode"].items() >= {"name": "all", "nodeType": "CONFIGURATION", "userName": "me"}.items()
    )
    rows = document["configurationData"]["pvList"]
    assert len(rows) == count
    by_name = {setting.setpoint.name: key for key, setting in pvs.settings.items()}
    keys = {by_name[row["pvName"]] for row in rows}
    assert keys >= {
        (supply, "current") for supply in pvs.supplies if supply in {s.name for s in pvs.ring.document.supplies}
    }
    assert not any(pvs.ring.strength_of(*key) is not None for key in keys)
    assert ("ring", "optics") not in keys
    for row in rows:
        if comparison := row.get("comparison"):
            assert comparison["comparisonMode"] == "ABSOLUTE"
            assert comparison["tolerance"] > 0
