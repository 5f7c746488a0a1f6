"""Commands for tests: supplies Q1 to Q9 whose property is their setting, and magnets with a trim behind k1."""

from pathlib import Path

from gnomon.lattice import Change, Client, Command, Outcome, Record, Setting, Settled
from gnomon.recorder import Journal

CLIENT = Client("alice", "console1", "ca")
SECOND = 1_000_000_000
MORNING = 1_760_000_000 * SECOND


def current(device: str, old: float, new: float, done: float | None = None) -> Change:
    return Change(
        pv=f"TWIN:{device}:set",
        device=device,
        property="current",
        unit="A",
        old=old,
        new=new,
        done=done,
        setting="current",
        setting_old=old,
        setting_done=done,
        physics_old={f"{device}M.k1": old / 100},
        physics_new={f"{device}M.k1": new / 100},
    )


def strength(device: str, old: float, new: float, base: float, *, done: bool = False) -> Change:
    return Change(
        pv=f"TWIN:{device}:Cm:set",
        device=device,
        property="k1",
        unit="1/m^2",
        old=old,
        new=new,
        done=new if done else None,
        setting="k1_trim",
        setting_old=old - base,
        setting_done=new - base if done else None,
    )


def record(sequence: int, *changes: Change, client: Client = CLIENT, note: str = "") -> Record:
    settings = tuple(Setting(c.pv, c.device, c.property, c.new) for c in changes)
    wall_ns = MORNING + sequence * SECOND
    return Record(Command(sequence, settings, client, wall_ns, sequence * SECOND, note), changes, f"before{sequence}")


def settled(sequence: int, outcome: Outcome, *changes: Change, reason: str = "") -> Settled:
    wall_ns = MORNING + sequence * SECOND + 1000
    return Settled(sequence, outcome, f"after{sequence}", wall_ns, changes, reason)


def applied(sequence: int, device: str, old: float, new: float, *, note: str = "") -> tuple[Record, Settled]:
    asked = record(sequence, current(device, old, new), note=note)
    return asked, settled(sequence, Outcome.APPLIED, current(device, old, new, new))


def begin(journal: Journal, **baseline: float) -> int:
    return journal.begin_run(
        machine="toy",
        digest="d1",
        prefix="TWIN:",
        lattice_id="start",
        baseline={(device, "current"): value for device, value in baseline.items()},
        wall_ns=MORNING,
        boot_id="boot",
    )


def write(journal: Journal, *commands: tuple[Record, Settled]) -> None:
    journal.append([r for r, _ in commands], [s for _, s in commands])


def small_journal(path: Path) -> Path:
    """Four commands: Q1 1 -> 2, Q2 0 -> 5 (Q2 begins at 0, nominal), a refused one, Q1 2 -> 3."""
    with Journal(path) as journal:
        begin(journal, Q1=1.0)
        refused = record(3, current("Q2", 5.0, float("nan")), client=Client("bob", "office", "pva"))
        write(
            journal,
            applied(1, "Q1", 1.0, 2.0),
            applied(2, "Q2", 0.0, 5.0),
            (refused, settled(3, Outcome.REJECTED, reason="Q2 current: nan A is not a finite number")),
            applied(4, "Q1", 2.0, 3.0),
        )
    return path
