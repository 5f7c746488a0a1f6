"""Processor time that injected faults add to a put: in process, paired and interleaved, without a network.

`python tests/bench/faults.py` prints, for an injector without faults and one with 1000 active rules that do not match,
the ratio of a put's processor time to that with an injector that does nothing at all: median of blocks, each of as many
puts with one as with the other. The model answers at once, so that its own time does not hide the difference.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from gnomon.fault_injection import Decision, Fault, Injector  # noqa: E402
from gnomon.lattice import Lattice, Outcome, Setting  # noqa: E402
from unit.ioc.rig import Rig, running  # noqa: E402

RULES = 1000
PUTS = 200
BLOCKS = 60
#: Largest ratios that are allowed.
ALLOWED = {"empty": 1.02, "rules": 1.10}


class NoInjector(Injector):
    """Decides nothing: what a put would cost without fault injection."""

    def decide(self, sequence: int, lattice: Lattice, settings: tuple[Setting, ...]) -> Decision:
        """Apply everything as asked."""
        return Decision(Outcome.APPLIED, settings)


def with_rules() -> Injector:
    """An injector with rules of commands that match no device of the ring."""
    injector = Injector()
    for number in range(RULES):
        injector.add(Fault.from_request({"kind": "delay", "device": f"X{number}*", "delay_s": 1.0}))
    return injector


async def block(rig: Rig, injector: Injector) -> float:
    """Processor time of a put [s]."""
    rig.dispatcher._injector = injector
    begin = time.process_time()
    await asyncio.gather(*(rig.start_put("T:CP:set", number / PUTS) for number in range(PUTS)))
    return (time.process_time() - begin) / PUTS


async def ratios() -> dict[str, tuple[float, float]]:
    """Ratio of each injector to none, and processor time of a put [us]."""
    found: dict[str, tuple[float, float]] = {}
    injectors = {"empty": Injector(), "rules": with_rules()}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rig = await stack.enter_async_context(running(folder))
        none = NoInjector()
        for name, injector in injectors.items():
            pairs = []
            for number in range(BLOCKS):
                first, second = (none, injector) if number % 2 else (injector, none)
                one, two = await block(rig, first), await block(rig, second)
                pairs.append((one, two) if number % 2 else (two, one))
            pairs = pairs[4:]
            ratio = statistics.median(b / a for a, b in pairs)
            found[name] = (ratio, 1e6 * statistics.median(a for a, _ in pairs))
    return found


def main() -> int:
    """Print the ratios; 1 if one is larger than allowed."""
    failed = 0
    for name, (ratio, base_us) in asyncio.run(ratios()).items():
        failed |= ratio > ALLOWED[name]
        print(f"{name}: {ratio:.4f} of {base_us:.0f} us (at most {ALLOWED[name]:.2f})")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
