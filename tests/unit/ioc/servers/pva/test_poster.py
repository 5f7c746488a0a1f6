"""Posts to open PVs: each has what changed since the last one, and nothing else."""

from typing import Any

import numpy as np
import pytest

from gnomon.db.pvs import AlarmLimits, Kind, PvSpec
from gnomon.ioc.outputs.bank import Bank, Severity, Status
from gnomon.ioc.servers.pva.poster import Poster


def pv(name: str, kind: Kind = Kind.FLOAT, **more: Any) -> PvSpec:
    return PvSpec(name=name, kind=kind, source="", description="", **more)


class Stage:
    """A bank with its poster; `posts` are the changed fields and their content, by the PV's name."""

    def __init__(self) -> None:
        self.bank = Bank(
            [
                pv("x", alarm=AlarmLimits(high=5.0)), pv("y"), pv("n", Kind.INT), pv("wave", Kind.FLOATS, length=3),
                pv("mode", Kind.ENUM, states=("off", "on")), pv("z"),
            ],
            0,
        )  # fmt: skip
        self.poster = Poster(self.bank)
        self.bank.listen(self.poster.post)
        self.posts: list[tuple[str, dict[str, Any]]] = []
        self.put(x=0.0, y=0.0, n=0.0, mode=0.0, z=0.0, wave=np.zeros(2))

    def open(self, *names: str) -> None:
        for name in names:
            index = self.bank.index[name]

            def post(value: Any, name: str = name) -> None:
                changed = value.changedSet()
                self.posts.append((name, {field: value[field] for field in changed}))

            self.poster.add(index, post, self.bank.reading(index))

    def put(self, time_ns: int = 0, generation: int = 0, /, **values: Any) -> None:
        numbers = {self.bank.index[n]: v for n, v in values.items() if isinstance(v, float)}
        objects = {self.bank.index[n]: v for n, v in values.items() if not isinstance(v, float)}
        scalars = (np.array(list(numbers), dtype=np.intp), np.array(list(numbers.values())))
        self.bank.publish(scalars, objects, time_ns=time_ns, generation=generation)

    def taken(self) -> dict[str, dict[str, Any]]:
        """Posts since it was asked last, one a PV."""
        posts, self.posts = self.posts, []
        assert len({name for name, _ in posts}) == len(posts)
        return dict(posts)


@pytest.fixture
def stage() -> Stage:
    return Stage()


STAMP = {"timeStamp.secondsPastEpoch", "timeStamp.nanoseconds", "timeStamp.userTag"}
ALARM = {"alarm.severity", "alarm.status", "alarm.message"}


def test_a_new_value_is_posted_with_its_stamp_and_without_its_alarm(stage: Stage) -> None:
    stage.open("x", "y")
    stage.put(3_000_000_007, 9, x=1.5, y=2.5, z=3.5)
    posts = stage.taken()
    assert {name: content["value"] for name, content in posts.items()} == {"x": 1.5, "y": 2.5}
    assert posts["x"].keys() == posts["y"].keys() == {"value"} | STAMP
    assert [posts["x"][field] for field in sorted(STAMP)] == [7, 3, 9]


def test_a_pv_without_clients_is_not_posted(stage: Stage) -> None:
    stage.open("x", "y")
    assert stage.poster.count == 2
    stage.poster.remove(0)
    assert stage.poster.count == 1
    assert stage.poster.count_of(np.array([0, 1, 2])) == 1
    stage.put(x=1.0)
    assert stage.posts == []


def test_a_new_alarm_alone_leaves_value_and_stamp_old(stage: Stage) -> None:
    stage.open("x")
    stage.bank.alarm(np.array([0]), Severity.INVALID, Status.COMM)
    posts = stage.taken()
    assert posts["x"].keys() == ALARM
    assert (posts["x"]["alarm.severity"], posts["x"]["alarm.message"]) == (3, "COMM")


def test_a_value_that_brings_an_alarm_is_posted_with_it_and_the_next_without(stage: Stage) -> None:
    stage.open("x")
    stage.put(1, 1, x=6.0)
    posts = stage.taken()
    assert posts["x"].keys() == {"value"} | STAMP | ALARM
    assert (posts["x"]["value"], posts["x"]["alarm.severity"], posts["x"]["alarm.message"]) == (6.0, 1, "HIGH")
    stage.put(2, 2, x=7.0)
    assert stage.taken()["x"].keys() == {"value"} | STAMP


def test_a_reading_published_again_unchanged_is_not_posted(stage: Stage) -> None:
    stage.open("x", "wave")
    wave = np.ones(2)
    stage.put(1, 1, x=1.0, wave=wave)
    stage.taken()
    stage.put(1, 1, x=1.0, wave=wave)
    assert stage.posts == []
    stage.put(2, 1, x=1.0, wave=wave)  # measured again
    assert stage.taken().keys() == {"x", "wave"}


def test_nan_after_nan_is_nothing_new(stage: Stage) -> None:
    stage.open("x")
    stage.put(x=float("nan"))
    assert stage.taken().keys() == {"x"}
    stage.put(x=float("nan"))
    assert stage.posts == []


def test_a_new_array_is_posted_even_with_the_old_stamp(stage: Stage) -> None:
    stage.open("wave")
    stage.put(wave=np.array([1.0, 2.0]))
    assert stage.taken()["wave"]["value"].tolist() == [1.0, 2.0]


def test_an_alarm_of_an_array_is_posted_alone(stage: Stage) -> None:
    stage.open("wave")
    stage.bank.alarm(np.array([3]), Severity.INVALID, Status.CALC)
    assert stage.taken()["wave"].keys() == ALARM


def test_whole_numbers_and_states_are_whole_and_what_is_not_finite_is_0(stage: Stage) -> None:
    stage.open("n", "mode")
    stage.put(1, n=2.0**40, mode=1.0)
    posts = stage.taken()
    assert posts["n"]["value"] == 2**40
    assert posts["mode"]["value.index"] == 1
    stage.put(2, n=float("inf"))
    assert stage.taken()["n"]["value"] == 0


def test_pvs_of_different_stamps_in_one_batch_each_have_their_own(stage: Stage) -> None:
    stage.open("x", "y")
    stage.put(5, 5, x=1.0)
    stage.put(7, 7, y=2.0)
    stage.taken()
    stage.bank.values[:2] = 3.0, 4.0
    stage.poster.post(np.array([0, 1]))
    posts = stage.taken()
    assert [(posts[name]["value"], posts[name]["timeStamp.nanoseconds"]) for name in "xy"] == [(3.0, 5), (4.0, 7)]


def test_a_pv_opened_again_is_compared_with_what_it_opened_with(stage: Stage) -> None:
    stage.open("x")
    stage.put(1, 1, x=1.0)
    stage.poster.remove(0)
    stage.put(2, 2, x=2.0)
    stage.taken()
    stage.open("x")
    stage.poster.post(np.array([0]))
    assert stage.posts == []
    stage.put(3, 3, x=1.0)
    assert stage.taken()["x"]["value"] == 1.0
