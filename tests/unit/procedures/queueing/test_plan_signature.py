"""Options of procedures as parameters of plans: what a queue accepts is what the procedure accepts."""

import inspect
from typing import Any

import pytest
from bluesky import utils
from bluesky_queueserver import construct_parameters, validate_plan
from bluesky_queueserver.manager.profile_ops import _process_plan
from pydantic import BaseModel, ValidationError

from gnomon.procedures.procedure_options import OrbitResponseOptions, TuneCorrectionOptions
from gnomon.procedures.queueing.plan_signature import plan_with_options
from gnomon.procedures.runnable import RUNNABLE

#: It has no types.
untyped: Any = utils


def offered(options: type[BaseModel]) -> Any:
    def plan(given: BaseModel) -> Any:
        yield untyped.Msg("null", None, given)

    return plan_with_options("some_plan", "some plan", options, plan)


def described(options: type[BaseModel]) -> dict[str, Any]:
    found: dict[str, Any] = _process_plan(offered(options), existing_devices={}, existing_plans={})
    return found


def accepts(options: type[BaseModel], *args: Any, **kwargs: Any) -> bool:
    item = {"name": "some_plan", "item_type": "plan", "args": list(args), "kwargs": kwargs}
    accepted, _ = validate_plan(item, allowed_plans={"some_plan": described(options)}, allowed_devices={})
    return bool(accepted)


@pytest.mark.parametrize("name", list(RUNNABLE))
def test_options_of_every_procedure_can_be_parameters(name: str) -> None:
    found = described(RUNNABLE[name].options)
    assert [each["name"] for each in found["parameters"]]
    assert all(each["description"] for each in found["parameters"])


def test_a_plan_gets_the_checked_options() -> None:
    plan = offered(OrbitResponseOptions)
    assert untyped.is_plan(plan)
    (message,) = list(plan(devices=["HS*"], points=5))
    assert message.args == (OrbitResponseOptions(devices=("HS*",), points=5),)
    with pytest.raises(ValidationError):
        list(plan(readings=0))


def test_a_queue_refuses_values_that_the_procedure_refuses() -> None:
    assert accepts(OrbitResponseOptions)
    assert accepts(OrbitResponseOptions, devices=["HS4P1D1R", "VS*"], points=3, move_mm=0.1, note="x")
    assert not accepts(OrbitResponseOptions, points=1)
    assert not accepts(OrbitResponseOptions, devices="HS*")
    assert not accepts(OrbitResponseOptions, unknown=1)
    assert accepts(TuneCorrectionOptions, to=[0.85, 0.73])
    assert not accepts(TuneCorrectionOptions)


def test_limits_and_defaults_are_told_to_clients() -> None:
    parameters = {each["name"]: each for each in described(OrbitResponseOptions)["parameters"]}
    assert parameters["points"]["annotation"]["type"] == "typing.Optional[int]"
    assert (parameters["points"]["min"], parameters["points"]["max"]) == ("2", "1000")
    assert parameters["devices"]["annotation"]["type"] == "typing.List[str]"
    (restored,) = (each for each in construct_parameters([parameters["devices"]]))
    assert restored.default == ["*"]
    assert next(iter(inspect.signature(offered(TuneCorrectionOptions)).parameters)) == "to"
