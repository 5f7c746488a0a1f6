"""The queue of commands: clients take turns in it, and each has a bounded share. Pure bookkeeping, without a lock."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from gnomon.ioc.base.protocols import PutFuture, PutReply
from gnomon.ioc.commands.reservation import Right
from gnomon.lattice import Client, Command, Outcome, Setting, Settled

#: Settings that may wait for one client, and for all of them before those with more than their share are refused.
MAX_PER_CLIENT = 20_000
MAX_WAITING = 50_000
#: Settings that are worked off in one turn.
MAX_PER_TURN = 500


@dataclass(frozen=True, slots=True)
class WaitingCommand:
    """A command in the queue; it gets its number when its turn comes. `refusal` is why it is going to be refused.

    `right` is the one to command alone, where the client has it. `repeats` are the settings that the client asked for
    in the command of which a fault has made this one; empty for a client's own.
    """

    settings: tuple[Setting, ...]
    client: Client
    wall_ns: int
    monotonic_ns: int
    note: str
    refusal: str
    done: PutFuture
    kept: tuple[tuple[str, str, str], ...] = ()
    right: Right | None = None
    repeats: tuple[Setting, ...] = ()

    @property
    def weight(self) -> int:
        """Share of a turn that it takes."""
        return max(len(self.settings), 1)

    def numbered(self, sequence: int) -> Command:
        """Return the command with its number."""
        return Command(sequence, self.settings, self.client, self.wall_ns, self.monotonic_ns, self.note)


@dataclass(frozen=True, slots=True)
class DueCommand:
    """The settings of a delayed command whose time has come."""

    sequence: int
    settings: tuple[Setting, ...]
    outcome: Outcome
    reason: str
    done: "Future[PutReply]"


@dataclass(frozen=True, slots=True)
class JournalNote:
    """Something that the journal has to be told about a command after the fact."""

    settled: Settled


Item = WaitingCommand | DueCommand | JournalNote


class _Share:
    """The commands of one client that wait, each with its place in the order of arrival, and their weight."""

    __slots__ = ("items", "weight")

    def __init__(self) -> None:
        self.items: deque[tuple[int, WaitingCommand]] = deque()
        self.weight = 0


class CommandQueue:
    """The queue of commands and notes for the dispatcher.

    As long as everything fits into one turn, commands keep their order of arrival, whoever sent them. Otherwise clients
    take turns, a command each, so that a client that floods the queue delays only itself. The order of each client's
    own commands never changes. Delayed commands that are due and notes come first.
    """

    def __init__(self) -> None:
        self._shares: OrderedDict[Client, _Share] = OrderedDict()  # in the order in which their turns come
        self._own: deque[tuple[int, DueCommand | JournalNote]] = deque()
        self._arrivals = 0
        self._weight = 0

    def __len__(self) -> int:
        return len(self._own) + sum(len(share.items) for share in self._shares.values())

    def add(self, item: WaitingCommand) -> str:
        """Let a command wait, or return the reason to refuse it: its client has reached the limit."""
        share = self._shares.get(item.client)
        taken = share.weight if share else 0
        limit = self._limit(1 if share is None else 0)
        if taken and taken + item.weight > limit:
            return (
                f"{item.client.user}@{item.client.host}: {taken} settings are already waiting, of at most {limit}; "
                "nothing was changed: wait until earlier commands are complete, then send this one again"
            )
        if share is None:
            share = self._shares[item.client] = _Share()
        share.items.append((self._arrivals, item))
        share.weight += item.weight
        self._weight += item.weight
        self._arrivals += 1
        return ""

    def add_own(self, item: DueCommand | JournalNote) -> None:
        """Let an item of the server itself wait; it is never refused."""
        self._own.append((self._arrivals, item))
        self._arrivals += 1

    def take(self) -> list[Item]:
        """Take the items of the next turn, in the order of arrival."""
        taken: list[tuple[int, Item]] = list(self._own)
        self._own.clear()
        if self._weight <= MAX_PER_TURN:
            for share in self._shares.values():
                taken += share.items
            self._shares.clear()
            self._weight = 0
        else:
            taken += self._take_in_turns()
        taken.sort(key=lambda entry: entry[0])
        return [item for _, item in taken]

    def drop(self) -> list[WaitingCommand]:
        """Take out all commands; other items stay."""
        dropped = sorted((entry for share in self._shares.values() for entry in share.items), key=lambda e: e[0])
        self._shares.clear()
        self._weight = 0
        return [item for _, item in dropped]

    def _limit(self, newcomers: int) -> int:
        """Calculate the number of settings of one client that may wait now: fewer if many are waiting in total."""
        if self._weight < MAX_WAITING:
            return MAX_PER_CLIENT
        return min(MAX_PER_CLIENT, MAX_WAITING // (len(self._shares) + newcomers))

    def _take_in_turns(self) -> Sequence[tuple[int, WaitingCommand]]:
        taken: list[tuple[int, WaitingCommand]] = []
        weight = 0
        while self._shares and weight < MAX_PER_TURN:
            client, share = next(iter(self._shares.items()))
            entry = share.items.popleft()
            taken.append(entry)
            weight += entry[1].weight
            share.weight -= entry[1].weight
            if share.items:
                self._shares.move_to_end(client)
            else:
                del self._shares[client]
        self._weight -= weight
        return taken
