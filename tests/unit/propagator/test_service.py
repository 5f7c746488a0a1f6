"""The service: newest state wins, waits are bounded, failures are answers, generations are in order."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from patience import PATIENCE_S

from gnomon.lattice import Ring
from gnomon.propagator import Answer, Propagator, PropagatorService
from gnomon.propagator.service import MAX_HUNG


@dataclass(frozen=True)
class FakeLattice:
    """Only a name; the fake model does not look further."""

    id: str


class FakeModel:
    """Computes when told to, and remembers what it was asked and by which threads."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.threads: set[int] = set()
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def __call__(self, lattice: Any) -> Any:
        self.asked.append(lattice.id)
        self.threads.add(threading.get_ident())
        self.open.wait(PATIENCE_S)
        if self.error is not None:
            raise self.error
        return f"beam of {lattice.id}"


@pytest.fixture
def model() -> Iterator[FakeModel]:
    model = FakeModel()
    yield model
    model.open.set()


def states(*names: str) -> list[Any]:
    return [FakeLattice(name) for name in names]


async def until(condition: Any) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("did not happen within 1 s")


async def test_an_answer_names_its_lattice_generation_and_sequence(model: FakeModel) -> None:
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S)
    (a,) = states("a")
    answer = await service.submit(a, 7)
    assert (answer.generation, answer.sequence, answer.lattice, answer.beam) == (1, 7, a, "beam of a")
    assert answer.lattice_id == "a"
    assert answer.failure == ""
    service.close()


async def test_newest_waiting_state_replaces_older_ones_which_get_its_answer(model: FakeModel) -> None:
    model.open.clear()
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S)
    futures = [service.submit(lattice, n) for n, lattice in enumerate(states("a", "b", "c", "d"), start=1)]
    await until(lambda: model.asked == ["a"])
    model.open.set()
    first, *others = await asyncio.gather(*futures)
    assert model.asked == ["a", "d"]
    assert (first.generation, first.sequence) == (1, 1)
    assert all(o is others[0] for o in others)
    assert (others[0].generation, others[0].sequence, others[0].lattice.id) == (2, 4, "d")
    service.close()


async def test_the_event_loop_is_free_and_one_state_at_a_time_is_computed_elsewhere(model: FakeModel) -> None:
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S)
    for number, lattice in enumerate(states(*"abcdefgh"), start=1):
        await service.submit(lattice, number)
    assert len(model.threads) == 1
    assert threading.get_ident() not in model.threads
    service.close()


async def test_answers_are_published_in_order_and_before_futures_resolve(model: FakeModel) -> None:
    seen: list[Answer] = []
    futures: list[asyncio.Future[Answer]] = []
    resolved_when_published: list[bool] = []

    def publish(answer: Answer) -> None:
        seen.append(answer)
        resolved_when_published.append(any(f.done() and f.result() is answer for f in futures))

    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S, on_answer=publish)
    for number, lattice in enumerate(states(*"abcdefghij"), start=1):
        futures.append(service.submit(lattice, number))
        if number % 3 == 0:
            await asyncio.sleep(0.005)
    answers = await asyncio.gather(*futures)
    assert [a.generation for a in seen] == list(range(1, len(seen) + 1))
    assert [a.sequence for a in seen] == sorted(a.sequence for a in seen)
    assert seen[-1].sequence == 10
    assert not any(resolved_when_published)
    assert [a.sequence for a in answers] == sorted(a.sequence for a in answers)
    assert all(a.sequence >= number for number, a in enumerate(answers, start=1))
    service.close()


async def test_a_model_that_raises_is_a_failed_answer_and_the_next_state_is_computed(model: FakeModel) -> None:
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S)
    model.error = ZeroDivisionError("by zero")
    a, b = states("a", "b")
    failed = await service.submit(a, 1)
    assert failed.beam is None
    assert failed.failure == "the model failed: ZeroDivisionError: by zero"
    model.error = None
    assert (await service.submit(b, 2)).beam == "beam of b"
    service.close()


async def test_a_hung_model_is_left_behind_replaced_and_its_late_result_dropped(model: FakeModel) -> None:
    seen: list[Answer] = []
    spare = FakeModel()
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=1.0, on_answer=seen.append, renew=lambda: spare)
    model.open.clear()
    a, b, c = states("a", "b", "c")
    first, second = service.submit(a, 1), service.submit(b, 2)
    failed = await first
    assert failed.beam is None
    assert "longer than 1 s" in failed.failure
    assert (await second).beam == "beam of b"
    model.open.set()
    await asyncio.sleep(0.02)
    assert (await service.submit(c, 3)).beam == "beam of c"
    assert [(s.generation, s.sequence) for s in seen] == [(1, 1), (2, 2), (3, 3)]
    assert spare.asked == ["b", "c"]
    assert model.asked == ["a"]
    service.close()


async def test_a_submission_never_waits_longer_than_its_bound_and_its_state_is_still_computed(model: FakeModel) -> None:
    seen: list[Any] = []
    service: Any = PropagatorService(model, 0.05, timeout_s=PATIENCE_S, on_answer=seen.append)
    model.open.clear()
    a, b = states("a", "b")
    first = service.submit(a, 1)
    begin = asyncio.get_running_loop().time()
    late = await service.submit(b, 2)
    assert asyncio.get_running_loop().time() - begin < PATIENCE_S
    assert late.beam is None
    assert late.failure == "waited longer than 0.05 s for the model"
    assert (await first).beam is None
    model.open.set()
    await until(lambda: len(seen) == 4)
    assert [s.beam for s in seen] == [None, None, "beam of a", "beam of b"]
    assert [s.generation for s in seen] == [1, 2, 3, 4]
    assert [s.more for s in seen] == [True, True, True, False]
    service.close()


async def test_a_submission_s_bound_holds_on_while_its_state_is_computed(model: FakeModel) -> None:
    service: Any = PropagatorService(model, 0.1, timeout_s=0.1)
    model.open.clear()
    a, b = states("a", "b")
    first = service.submit(a, 1)
    await asyncio.sleep(0.07)
    begin = asyncio.get_running_loop().time()
    second = service.submit(b, 2)
    assert "longer than 0.1 s; its thread" in (await first).failure
    assert (await second).failure == "waited longer than 0.1 s for the model"
    assert 0.09 < asyncio.get_running_loop().time() - begin < PATIENCE_S
    service.close()


async def test_models_that_hang_do_not_pile_up_and_one_that_returns_lets_the_newest_state_be_computed(
    model: FakeModel,
) -> None:
    seen: list[Any] = []
    service: Any = PropagatorService(model, 0.02, timeout_s=0.02, on_answer=seen.append)
    model.open.clear()
    threads = threading.active_count()
    answers = [await service.submit(state, n) for n, state in enumerate(states(*"abcdefgh"), start=1)]
    assert all(answer.beam is None for answer in answers)
    assert model.asked == ["a", "b", "c", "d"]
    assert service.hung == MAX_HUNG == 4
    assert threading.active_count() < threads + MAX_HUNG
    assert all("the model hangs: 4 computations" in answer.failure for answer in answers[3:])
    model.open.set()
    await until(lambda: seen[-1].beam is not None)
    assert (seen[-1].beam, seen[-1].sequence) == ("beam of h", 8)
    await until(lambda: service.hung == 0)
    service.close()


async def test_states_that_wait_behind_the_last_hung_one_are_answered_with_it_and_the_newest_is_kept(
    model: FakeModel,
) -> None:
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=0.02)
    model.open.clear()
    for n, state in enumerate(states(*"abc"), start=1):
        await service.submit(state, n)
    futures = [service.submit(state, n) for n, state in enumerate(states(*"def"), start=4)]
    answers = await asyncio.gather(*futures)
    assert [answer.sequence for answer in answers] == [6, 6, 6]
    assert all("the model hangs" in answer.failure for answer in answers)
    service.close()
    model.open.set()


async def test_a_new_model_that_cannot_be_made_is_a_failure_and_is_tried_again(model: FakeModel) -> None:
    made: list[int] = []

    def renew() -> Any:
        made.append(1)
        if len(made) == 1:
            raise MemoryError("no room")
        return lambda lattice: f"new beam of {lattice.id}"

    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=1.0, renew=renew)
    model.open.clear()
    a, b, c = states("a", "b", "c")
    await service.submit(a, 1)
    assert (await service.submit(b, 2)).failure == "the model failed: MemoryError: no room"
    assert (await service.submit(c, 3)).beam == "new beam of c"
    service.close()


async def test_a_paused_service_answers_at_once_and_computes_the_newest_state_when_it_is_resumed(
    model: FakeModel,
) -> None:
    seen: list[Any] = []
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S, on_answer=seen.append)
    a, b, c, d = states("a", "b", "c", "d")
    await service.submit(a, 1)
    model.open.clear()
    running, waiting = service.submit(b, 2), service.submit(c, 3)
    service.pause("at rest")
    service.pause("at rest")
    assert running.result() is waiting.result() is seen[-1]
    assert (seen[-1].beam, seen[-1].failure, seen[-1].paused, seen[-1].sequence) == (None, "at rest", True, 3)
    service.pause("for another reason")
    assert (seen[-1].failure, seen[-1].paused) == ("for another reason", True)
    submitted = service.submit(d, 4)
    assert (submitted.result().sequence, submitted.result().paused) == (4, True)
    model.open.set()
    assert (await service.resume()).beam == "beam of d"
    assert [(s.generation, s.sequence) for s in seen] == [(1, 1), (2, 3), (3, 3), (4, 4), (5, 4)]
    assert model.asked == ["a", "b", "d"]
    service.close()


async def test_a_failed_state_is_computed_again_when_asked_and_a_good_one_is_not(model: FakeModel) -> None:
    answers: list[Answer] = []
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S, on_answer=answers.append)
    (a,) = states("a")
    service.retry()  # nothing has been submitted
    model.error = RuntimeError("no")
    assert (await service.submit(a, 3)).beam is None
    model.error = None
    service.retry()
    await until(lambda: len(answers) == 2)
    assert (answers[1].generation, answers[1].sequence, answers[1].beam) == (2, 3, "beam of a")
    service.retry()
    service.pause("paused")
    service.retry()
    await asyncio.sleep(0.02)
    assert model.asked == ["a", "a"]
    service.close()


async def test_the_log_has_one_line_when_the_model_begins_to_fail_and_one_when_it_works_again(
    model: FakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S)
    model.error = ZeroDivisionError("by zero")
    with caplog.at_level("INFO", logger="gnomon.model"):
        for n, state in enumerate(states("a", "b", "c"), start=1):
            await service.submit(state, n)
        model.error = None
        for n, state in enumerate(states("d", "e"), start=4):
            await service.submit(state, n)
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert "ZeroDivisionError: by zero" in caplog.text
    service.close()


async def test_outputs_that_cannot_be_published_are_a_failure(model: FakeModel) -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def publish(answer: Answer) -> None:
        raise OSError("no room")

    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S, on_answer=publish)
    answer = await service.submit(states("a")[0], 1)
    assert answer.failure == "outputs were not published: OSError: no room"
    assert isinstance(reported[0]["exception"], OSError)
    service.close()


async def test_a_cancelled_waiter_does_not_disturb_the_others(model: FakeModel) -> None:
    model.open.clear()
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S)
    first, second = (service.submit(s, n) for n, s in enumerate(states("a", "b"), start=1))
    first.cancel()
    model.open.set()
    assert (await second).beam == "beam of b"
    service.close()


async def test_close_answers_what_is_open_and_refuses_more(model: FakeModel) -> None:
    model.open.clear()
    service: Any = PropagatorService(model, PATIENCE_S, timeout_s=PATIENCE_S)
    futures = [service.submit(s, n) for n, s in enumerate(states("a", "b"), start=1)]
    service.close()
    service.close()
    assert [(await f).failure for f in futures] == ["the propagator service was closed"] * 2
    with pytest.raises(RuntimeError, match="closed"):
        service.submit(states("c")[0], 3)


async def test_the_real_model_answers_a_burst_with_its_last_state(mls: Ring) -> None:
    service: Any = PropagatorService(Propagator(mls), timeout_s=60.0)
    lattices = [mls.nominal.updated({("HS3M2K1RP", "kick"): 1e-6 * n}) for n in range(50)]
    answers = await asyncio.gather(*(service.submit(lat, n) for n, lat in enumerate(lattices)))
    last = answers[-1]
    assert last.beam is not None
    assert last.lattice is lattices[-1]
    assert np.abs(last.beam.orbit - Propagator(mls)(lattices[-1]).orbit).max() < 1e-14
    assert np.abs(last.beam.orbit - answers[0].beam.orbit).max() > 1e-9
    assert last.generation <= 3
    service.close()
