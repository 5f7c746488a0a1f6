"""Errors of options are in words: what is wrong, the limit, what to do."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from gnomon.procedures.option_errors import worded


class Options(BaseModel, extra="forbid"):
    times: Annotated[int, Field(ge=1, le=10)] = 1
    step: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0
    plane: Literal["x", "y"] = "x"
    note: Annotated[str, Field(max_length=3)] = ""
    name: Annotated[str, Field(pattern="^[a-z]+$")] = "a"
    steerers: Annotated[list[str], Field(min_length=2)] = ["a", "b"]
    whole: bool = False


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"times": 11}, ("11 is outside the limit, 10 or less", "10 or less", "give a value within it")),
        ({"times": 0}, ("0 is outside the limit, 1 or more", "1 or more", "give a value within it")),
        ({"times": "many"}, ("many is not a whole number", "a whole number", "give a whole number")),
        ({"times": 1.5}, ("1.5 is not a whole number", "a whole number", "give a whole number")),
        ({"step": -1.0}, ("-1.0 is outside the limit, above 0.0", "above 0.0", "give a value within it")),
        ({"step": float("nan")}, ("nan is not a finite number", "a finite number", "give a finite number")),
        ({"plane": "z"}, ("z is not one of 'x' or 'y'", "'x' or 'y'", "give one of these")),
        ({"note": "long"}, ("its length is outside the limit, 3 or fewer characters", "3 or fewer characters",
                            "give 3 or fewer characters")),
        ({"name": "A"}, ("A has characters that are not allowed", "pattern ^[a-z]+$", "use others")),
        ({"steerers": ["a"]}, ("its length is outside the limit, 2 or more entries", "2 or more entries",
                               "give 2 or more entries")),
        ({"whole": "perhaps"}, ("perhaps is not true or false", "true or false", "give true or false")),
        ({"tims": 1}, ("it is not known here", "", "leave it out")),
    ],
)  # fmt: skip
def test_each_kind_of_error_has_value_limit_and_remedy(options: dict[str, Any], words: tuple[str, str, str]) -> None:
    with pytest.raises(ValidationError) as raised:
        Options.model_validate(options)
    (error,) = raised.value.errors()
    assert worded(error, str(next(iter(options.values())))) == words


def test_a_missing_option_is_to_be_added() -> None:
    assert worded({"type": "missing", "msg": "Field required"}, "") == ("it is missing", "", "add it")


def test_an_error_of_our_own_keeps_its_words() -> None:
    error = {"type": "value_error", "msg": "Value error, No beam", "ctx": {"error": ValueError("No beam")}}
    assert worded(error, "1") == ("no beam", "", "")
