"""The list of settings tells what the configuration accepts: its limits, types and defaults are tried out."""

import json
import re
from pathlib import Path
from typing import Any

from each_case import each_case
from pydantic import ValidationError

from gnomon.ioc.base.config import Config
from gnomon.ioc.base.settings_list import Setting, list_settings

SETTINGS = [setting for setting in list_settings() if not setting.is_part_of_item]
BY_KEY = {setting.key: setting for setting in list_settings()}
BOUND = re.compile(r"(at least|above|at most|below) ([\d.e+-]+)( characters)?")


def accepts(key: str, value: Any) -> bool:
    """Return True if the configuration finds nothing wrong with the value of one setting by itself."""
    *sections, name = key.split(".")
    document: Any = {name: value}
    for section in reversed(sections):
        document = {section: document}
    try:
        Config.model_validate(document)
    except ValidationError as error:
        return not any(".".join(map(str, each["loc"])).startswith(key) for each in error.errors())
    return True


def bounds() -> list[tuple[str, str, float, bool]]:
    return [
        (setting.key, word, int(number) if number.isdecimal() else float(number), bool(characters))
        for setting in SETTINGS
        for word, number, characters in BOUND.findall(setting.limits)
    ]


def test_every_limit_is_read_by_this_test() -> None:
    told = {setting.key: setting.limits for setting in SETTINGS if setting.limits}
    assert len(told) > 15
    others = {key: BOUND.sub("", limits).strip(", ") for key, limits in told.items()}
    texts = ("pvs", "shadow.calibration", "forward.mqtt.host", "forward.mqtt.user", "forward.mongodb.user")
    assert {key: words for key, words in others.items() if words} == dict.fromkeys(
        (*texts, "forward.logbook.what"), "not empty"
    )
    assert not accepts("forward.logbook.what", [])
    for key in texts:
        assert (accepts(key, "plain"), accepts(key, "")) == (True, False)


@each_case(bounds())
def test_a_limit_is_where_the_configuration_begins_to_refuse(
    key: str, word: str, bound: float, characters: bool
) -> None:
    step = 1 if characters or BY_KEY[key].type.startswith("integer") else max(abs(bound), 1.0) * 1e-9
    inside, outside = {
        "at least": (bound, bound - step),
        "above": (bound + step, bound),
        "at most": (bound, bound + step),
        "below": (bound - step, bound),
    }[word]
    if characters:
        assert (accepts(key, "A" * int(inside - 1) + ":"), accepts(key, "A" * int(outside - 1) + ":")) == (True, False)
    else:
        assert (accepts(key, inside), accepts(key, outside)) == (True, False)


WRONG = {
    "true or false": "perhaps", "integer": 1.5, "number": "many", "text": 5, "file name": 5,
    "list of": "text", "mapping of": ["text"],
}  # fmt: skip


@each_case(SETTINGS, lambda setting: setting.key)
def test_a_value_of_another_type_is_refused_and_null_only_where_it_is_named(setting: Setting) -> None:
    kind = next((word for word in WRONG if setting.type.startswith(word)), None)
    assert kind is not None or setting.type.startswith("`")
    assert not accepts(setting.key, WRONG[kind] if kind else "none of them")
    assert accepts(setting.key, None) == setting.type.endswith("or null")


@each_case(SETTINGS, lambda setting: setting.key)
def test_a_default_can_be_written_down_and_given_back(setting: Setting) -> None:
    assert not setting.changed
    value = json.loads(json.dumps(setting.default))
    assert value == setting.value
    assert accepts(setting.key, value)


def test_words_of_a_choice_are_all_that_it_takes() -> None:
    choices = [setting for setting in SETTINGS if setting.type.startswith("`")]
    assert {setting.key for setting in choices} == {
        "role", "model.momentum", "shadow.protocol", "log.format", "forward.when_full"
    }  # fmt: skip
    for setting in choices:
        words = re.findall("`(.*?)`", setting.type)
        assert setting.default in words
        assert all(accepts(setting.key, word) for word in words)


def test_values_are_those_of_the_configuration_and_what_differs_is_marked() -> None:
    config = Config.model_validate(
        {"machine": "mls", "recorder": {"journal": "a.journal"}, "access": {"rules": [{"allow": "none"}]}}
    )
    listed = {setting.key: setting for setting in list_settings(config)}
    assert {key for key, setting in listed.items() if setting.changed} == {
        "machine",
        "recorder.journal",
        "access.rules",
    }
    assert (listed["machine"].value, listed["machine"].default) == ("mls", "bessy2")
    assert listed["recorder.journal"].value == str(Path("a.journal"))
    assert listed["access.rules"].value == [{"allow": "none"}]


def test_parts_of_list_items_are_described_without_a_value_of_their_own() -> None:
    parts = {key: setting for key, setting in BY_KEY.items() if setting.is_part_of_item}
    of_rules = [key for key in parts if key.startswith("access.")]
    assert of_rules == [f"access.rules[].{name}" for name in ("pvs", "users", "hosts", "allow")]
    assert parts["access.rules[].allow"].type == "`none` or `read` or `write`"
    assert parts["access.rules[].pvs"].limits == "not empty"
    assert not accepts("access.rules", [{"pvs": [], "allow": "read"}])
    assert BY_KEY["access.rules"].type == "list of access rules"
    assert BY_KEY["access.user_groups"].type == "mapping of names to lists of texts"
