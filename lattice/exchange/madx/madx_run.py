"""A run of a MAD-X file: its statements one after the other, and what is defined when it ends."""

from dataclasses import dataclass, field

from gnomon.lattice.exchange.findings import Finding
from gnomon.lattice.exchange.madx.attributes import Attribute, Value, text_of, value_of
from gnomon.lattice.exchange.madx.beams import Beam, updated
from gnomon.lattice.exchange.madx.classes import CLASSES
from gnomon.lattice.exchange.madx.expressions import Expression, Variable
from gnomon.lattice.exchange.madx.lines import Line
from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.exchange.madx.sequences import Node, Sequence
from gnomon.lattice.exchange.madx.variables import Variables

REFER = {"entry": 1, "centre": 0, "center": 0, "exit": -1}


@dataclass(slots=True)
class Definition:
    """An element as defined: its class in MAD-X, its attributes, and where it is defined."""

    name: str
    kind: str
    attributes: dict[str, Value]
    place: str


@dataclass(slots=True)
class Program:
    """Content of the file `main`. `beams` has the beams of single sequences by name, and that of all others as ''."""

    main: str = ""
    elements: dict[str, Definition] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    sequences: dict[str, Sequence] = field(default_factory=dict)
    beams: dict[str, Beam] = field(default_factory=lambda: {"": Beam()})
    findings: list[Finding] = field(default_factory=list)
    arc_length: bool = True
    used: str = ""
    current: Sequence | None = None
    variables: Variables = field(init=False)

    def __post_init__(self) -> None:
        self.variables = Variables(self.attribute)

    def attribute(self, variable: Variable, place: str) -> float:
        """The number that `name->attribute` stands for. Raises MadxError."""
        name, attribute = variable.name, variable.attribute
        if name == "beam" or name.startswith("beam%"):
            beam = self.beams.get(name[5:], self.beams[""])
            value: object = beam.attribute(attribute)
        elif name in self.elements:
            value = self.elements[name].attributes.get(attribute, 0.0)
        elif name in self.sequences and attribute == "l":
            value = self.sequences[name].length
        else:
            raise MadxError(place, f"{name}->{attribute}: there is no element {name}")
        if isinstance(value, Expression):
            return self.variables.evaluate(value)
        if isinstance(value, float):
            return value
        raise MadxError(place, f"{name}->{attribute} is not a number that is known here")

    def assign(self, name: str, attribute: str, value: Value, place: str) -> None:
        """`name->attribute = value;`. Raises MadxError."""
        if name == "beam" or name.startswith("beam%"):
            why = "the other numbers of a beam do not follow such an assignment in MAD-X: use a BEAM command"
            raise MadxError(place, f"{name}->{attribute} = ...: {why}")
        if name not in self.elements:
            raise MadxError(place, f"{name}->{attribute} = ...: there is no element {name}")
        self.elements[name].attributes[attribute] = value
        self.variables.changed()

    def define(self, name: str, kind: str, attributes: list[Attribute], place: str) -> None:
        """`name: kind, ...;`, also within a sequence, where it is placed as well. Raises MadxError."""
        if name in CLASSES:
            self.note(name, kind, "a protected name; MAD-X skips the definition", place)
            return
        if self.current is not None and name in self.elements:
            self.note(name, kind, "defined before; MAD-X takes that definition", place)
        else:
            parent = self.elements.get(kind)
            base = parent.kind if parent else kind
            if kind in self.sequences or kind in self.lines:
                raise MadxError(place, f"{name}: {kind} is not a class of elements")
            own = {a.name: self.value(a, place) for a in attributes if not (self.current and a.name in ("at", "from"))}
            self.elements[name] = Definition(name, base, dict(parent.attributes) | own if parent else own, place)
            self.variables.changed()
        if self.current is not None:
            if name in self.current.names:
                raise MadxError(place, f"{name} stands twice in the sequence {self.current.name}")
            self.place_node(name, attributes, place)

    def update(self, name: str, attributes: list[Attribute], place: str) -> None:
        """`name, ...;` of an element outside of sequences."""
        self.elements[name].attributes.update({a.name: self.value(a, place) for a in attributes})
        self.variables.changed()

    def place_node(self, name: str, attributes: list[Attribute], place: str) -> None:
        """Put an element or sequence at its position in the open sequence. Raises MadxError."""
        assert self.current is not None
        given = {a.name: a for a in attributes}
        at = self.value(given["at"], place) if "at" in given else None
        if not isinstance(at, float | Expression):
            raise MadxError(place, f"{name} has no position in the sequence {self.current.name}: give at=...")
        origin = text_of(given["from"].words) if "from" in given else ""
        self.current.add(Node(name, at, origin, place))

    def open_sequence(self, name: str, attributes: list[Attribute], place: str) -> None:
        """`name: sequence, ...;`. Raises MadxError."""
        if self.current is not None:
            raise MadxError(place, f"the sequence {name} begins before {self.current.name} ends")
        given = {a.name: self.value(a, place) for a in attributes}
        length = given.get("l")
        if not isinstance(length, float | Expression):
            raise MadxError(place, f"the sequence {name} has no length: give l=...")
        refer = str(given.get("refer", "centre")).lower()
        if refer not in REFER:
            raise MadxError(place, f"refer={refer} of the sequence {name} is not entry, centre or exit")
        refpos = str(given.get("refpos", "")).lower()
        self.current = self.sequences[name] = Sequence(name, length, REFER[refer], refpos, place)
        self.lines.pop(name, None)

    def beam(self, attributes: list[Attribute], place: str) -> None:
        """`beam, ...;`. Raises MadxError."""
        given = {a.name: self.value(a, place) for a in attributes}
        sequence = str(given.get("sequence", "")).lower()
        particle = str(given["particle"]).lower() if "particle" in given else None
        numbers = {name: self.number(value) for name, value in given.items() if isinstance(value, float | Expression)}
        self.beams[sequence] = updated(self.beams.get(sequence, Beam()), particle, numbers, place)
        self.variables.changed()

    def value(self, attribute: Attribute, place: str) -> Value:
        """The value of an attribute now, or its expression when it is deferred."""
        return value_of(attribute, self.variables.evaluate, place)

    def number(self, value: float | Expression) -> float:
        """A number now."""
        return value if isinstance(value, float) else self.variables.evaluate(value)

    def note(self, name: str, kind: str, why: str, place: str, *, changes_beam: bool = False) -> None:
        """List something that is left out."""
        self.findings.append(Finding(name, kind, "", why, self.short(place), changes_beam))

    def short(self, place: str) -> str:
        """A place without the name of the main file."""
        return place.removeprefix(f"{self.main}, ")
