"""Rights of clients by the rules of the configuration."""

from pathlib import Path

import pytest

from gnomon.ioc.base.config import AccessConfig, AccessRule, ConfigError, read_config
from gnomon.ioc.servers.access import AccessRules, Rights

READ, WRITE, NONE = Rights.READ, Rights.READ | Rights.WRITE, Rights.NONE


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"])
def test_by_default_this_computer_writes(address: str) -> None:
    assert AccessRules().rights("TWIN:Q1PDR:set", "anyone", address) == WRITE


@pytest.mark.parametrize("address", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "localhost", ""])
def test_by_default_all_others_read(address: str) -> None:
    assert AccessRules().rights("TWIN:Q1PDR:set", "root", address) == READ


EXPERTS = AccessConfig(
    user_groups={"experts": ("anna", "ben")},
    host_groups={"control-room": ("10.1.2.0/24", "2001:db8::/32")},
    rules=(
        AccessRule(pvs=("TWIN:par:*", "TWIN:dt:fault?"), users=("experts",), hosts=("control-room",), allow="write"),
        AccessRule(pvs=("TWIN:par:*",), allow="read"),
        AccessRule(pvs=("TWIN:secret",), allow="none"),
        AccessRule(hosts=("control-room", "loopback"), allow="write"),
        AccessRule(pvs=("*:rd?",), allow="read"),
    ),
)


@pytest.mark.parametrize(
    ("pv", "user", "address", "rights"),
    [
        ("TWIN:par:mode", "anna", "10.1.2.9", WRITE),
        ("TWIN:par:mode", "carl", "10.1.2.9", READ),  # the host alone is not enough
        ("TWIN:par:mode", "anna", "10.1.3.9", READ),  # nor is the name
        ("TWIN:dt:fault1", "anna", "10.1.2.9", WRITE),
        ("TWIN:secret", "anna", "127.0.0.1", NONE),
        ("TWIN:Q1PDR:set", "carl", "2001:db8::7", WRITE),
        ("TWIN:BPM:rdX", "carl", "10.9.9.9", READ),
        ("TWIN:BPM:rdXY", "carl", "10.9.9.9", NONE),  # a pattern means the whole name
        ("twin:BPM:rdX:", "carl", "10.9.9.9", NONE),
    ],
)
def test_the_first_rule_about_client_and_pv_decides(pv: str, user: str, address: str, rights: Rights) -> None:
    rules = AccessRules(EXPERTS)
    assert rules.rights(pv, user, address) == rights
    assert rules.rights(pv, user, address) == rights  # and again, remembered


def test_clients_with_ever_new_names_are_not_all_remembered() -> None:
    rules = AccessRules(EXPERTS)
    for number in range(5000):
        rules.rights("TWIN:secret", f"user{number}", "10.0.0.1")
    assert rules._about.cache_info().currsize <= 1024


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("access: {rules: [{users: [experts], allow: write}]}", "unknown user group 'experts'; known groups: none"),
        ("access: {rules: [{hosts: [office], allow: write}]}", "unknown host group 'office'; known groups: loopback"),
        ("access: {host_groups: {office: [console7]}}", "'console7' does not appear to be an IPv4 or IPv6"),
        ("access:\n  rules:\n    - {allow: all}", r"mine\.yaml:3: access\.rules\.0\.allow"),
        (
            "access:\n  rules:\n    - {allow: read, pv: x}",
            "unknown key 'access.rules.0.pv'; known keys: pvs, users, hosts, allow",
        ),
        ("guard: {max_message_bytes: 10}", "max_message_bytes"),
    ],
)
def test_wrong_rules_are_refused_with_their_reason(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=reason):
        read_config(file)
