"""The documents of recordings: their ids belong to their content, and their schema is the committed one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gnomon.db.store import canonical_json
from gnomon.recorder.recordings import Recording, RecordingContent, RecordingFile, seal
from gnomon.recorder.recordings.recording import SCHEMA_FILE, json_schema
from unit.recorder.conftest import bessy2
from unit.recorder.recordings.samples import make_recording

BUMP = make_recording(bessy2(), ("HS4P1D1R", "current", 0.5), ("HS4P1D1R", "current", 0.8))
TEXT = BUMP.model_dump_json(by_alias=True)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths to all values of a document that are not containers."""
    if isinstance(value, dict):
        return [p for key in sorted(value) for p in places(value[key], (*path, key))]
    if isinstance(value, list):
        return [p for number, item in enumerate(value) for p in places(item, (*path, number))]
    return [path]


PLACES = [path for path in places(json.loads(TEXT)) if path not in {("id",), ("schema",)}]


def changed(value: Any, data: st.DataObject) -> Any:
    """Another value of the same type, which the models take."""
    if isinstance(value, float):
        return data.draw(st.floats(allow_nan=False, allow_infinity=False).filter(lambda v: v != value))
    if isinstance(value, int):
        return data.draw(st.integers(1, 2**60).filter(lambda v: v != value))
    return {"2026-11-27T09:00:00Z": "2026-11-27T09:00:01Z", BUMP.digest: "0" * 64, "": "0" * 64}.get(value, f"{value}x")


@given(path=st.sampled_from(PLACES), data=st.data())
def test_any_change_of_the_content_changes_the_id(path: tuple[str | int, ...], data: st.DataObject) -> None:
    document = json.loads(TEXT)
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = changed(inner[path[-1]], data)
    with pytest.raises(ValidationError, match="it has been changed"):
        Recording.model_validate(document)
    content = RecordingContent.model_validate({key: value for key, value in document.items() if key != "id"})
    assert seal(content).id != BUMP.id


@given(shuffled=st.randoms(use_true_random=False), indent=st.integers(0, 4))
def test_the_order_of_keys_and_spaces_do_not_count(shuffled: Any, indent: int) -> None:
    def stir(value: Any) -> Any:
        if isinstance(value, list):
            return [stir(item) for item in value]
        if not isinstance(value, dict):
            return value
        keys = list(value)
        shuffled.shuffle(keys)
        return {key: stir(value[key]) for key in keys}

    text = json.dumps(stir(json.loads(TEXT)), indent=indent)
    assert Recording.model_validate_json(text) == BUMP


def test_a_number_without_its_decimal_point_is_the_same_content() -> None:
    document = json.loads(TEXT)
    assert document["steps"][0]["changes"][0]["old"] == 0.0
    document["steps"][0]["changes"][0]["old"] = 0
    assert Recording.model_validate(document).id == BUMP.id


def test_the_order_of_steps_counts() -> None:
    document = json.loads(TEXT)
    document["steps"].reverse()
    with pytest.raises(ValidationError, match="it has been changed"):
        Recording.model_validate(document)


@pytest.mark.parametrize(
    "wrong", [{"extra": 1}, {"made": "yesterday"}, {"steps": []}, {"purpose": ""}, {"name": "../x"}]
)
def test_parts_that_a_recording_cannot_have_are_refused(wrong: dict[str, Any]) -> None:
    content = {key: value for key, value in json.loads(TEXT).items() if key != "id"}
    with pytest.raises(ValidationError):
        RecordingContent.model_validate(content | wrong)


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValidationError):
        Recording.model_validate_json(TEXT.replace("0.8", "Infinity"))


def test_a_file_comes_back_as_it_was() -> None:
    file = RecordingFile(recording=BUMP)
    assert RecordingFile.model_validate_json(file.model_dump_json(by_alias=True)) == file
    assert canonical_json(file.model_dump(by_alias=True, mode="json")).startswith('{"approvals":[]')


def test_the_schema_is_the_committed_one() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == json_schema(), "write json_schema() to it; raise the numbers"
