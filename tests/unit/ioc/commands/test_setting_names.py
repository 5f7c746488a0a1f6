"""Every setting has names in the access rules, whether or not a PV of its own sets it."""

import pytest

from gnomon.ioc.base.config import AccessConfig, AccessRule
from gnomon.ioc.commands.setting_names import SettingNames
from gnomon.ioc.servers.access import AccessRules, Rights
from unit.ioc.rig import RING, specs

NAMES = SettingNames(specs(), RING, "T:")


@pytest.mark.parametrize(
    ("device", "name", "expected"),
    [
        ("CP", "current", {"T:CP:set"}),
        ("QF", "k1", {"T:QF:Cm:set"}),
        ("QF", "k1_trim", {"T:QF:Cm:set"}),
        ("BPM1", "offset_x", {"T:BPM1:rdX", "T:BPM1:rdY", "T:BPM1:dx", "T:BPM1:dy"}),
        ("OC", "dx", {"T:OC:Cm:set", "T:OC:par:hw2phys"}),
        ("MUX", "selected", {"T:PMUXZR:QF", "T:PMUXZR:QD", "T:PMUXZR:off"}),
        ("ring", "energy", {"T:ring:energy"}),
        ("nothing", "at all", {"T:nothing:at all"}),
    ],
)
def test_a_setting_is_named_by_its_pv_its_device_or_itself(device: str, name: str, expected: set[str]) -> None:
    assert set(NAMES.names(device, name)) == expected


def test_a_magnet_without_pvs_of_its_own_is_named_by_its_supply() -> None:
    of_supplies = [spec for spec in specs() if spec.device.endswith("P") and spec.writable]
    names = SettingNames(of_supplies, RING, "T:")
    supply = next(magnet.supply for magnet in RING.magnets if magnet.name == "QF")
    assert names.names("QF", "dx") == (f"T:{supply}:set",)


def test_a_rule_on_some_pvs_gives_no_right_to_any_other_setting() -> None:
    config = AccessConfig(rules=(AccessRule(pvs=("T:CP:*",), allow="write"), AccessRule(allow="read")))
    rules = AccessRules(config)
    for device, name in RING.properties:
        granted = all(Rights.WRITE in rules.rights(n, "op", "127.0.0.1") for n in NAMES.names(device, name))
        assert granted == (device == "CP"), (device, name)
