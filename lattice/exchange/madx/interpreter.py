"""Statements of MAD-X and what each does to the program. Steps, depth and text are bounded: every file ends."""

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from gnomon.lattice.exchange.madx import command_effects
from gnomon.lattice.exchange.madx.attributes import Attribute, split_attributes, text_of, value_of
from gnomon.lattice.exchange.madx.beams import Beam
from gnomon.lattice.exchange.madx.called_files import Files
from gnomon.lattice.exchange.madx.expressions import parse_expression
from gnomon.lattice.exchange.madx.if_conditions import holds
from gnomon.lattice.exchange.madx.lines import parse_line
from gnomon.lattice.exchange.madx.macros import Macro, expand_macro, parse_exec
from gnomon.lattice.exchange.madx.madx_error import MadxError
from gnomon.lattice.exchange.madx.madx_run import Program
from gnomon.lattice.exchange.madx.source import Source, Statement, statements
from gnomon.lattice.exchange.madx.tokens import Token, join, tokens
from gnomon.lattice.text import shorten

#: Statements carried out, those in loops counted each time.
MAX_STEPS = 1_000_000
#: Passes of all loops.
MAX_PASSES = 100_000
#: Blocks, macros and called files within each other.
MAX_DEPTH = 30

_LABEL = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.$]*|\"[^\"]*\"|'[^']*')\s*(\([^)]*\))?\s*:(?!=)")
_HEAD = re.compile(r"(if|while|elseif)\s*\((.*)\)\s*\Z", re.DOTALL | re.IGNORECASE)
_TYPES = frozenset({"const", "real", "int", "shared", "vector"})


class _End(Exception):
    """`stop;`, `exit;` or `quit;`."""


class _Return(Exception):
    """`return;`."""


class Interpreter:
    """Carries out a file's statements on a program."""

    def __init__(self, file: Path, files: Files) -> None:
        self.program = Program(file.name)
        self.macros: dict[str, Macro] = {}
        self.folder = file.parent
        self.files = files
        self.steps = 0
        self.passes = 0
        self.recognised = 0

    def run(self, source: Source) -> Program:
        """Carry out a file. Raises MadxError."""
        try:
            with contextlib.suppress(_End, _Return):
                self.block(statements(source), [self.folder], 0)
        except RecursionError as error:
            raise MadxError(source.name, "expressions, lines or blocks too deep within each other") from error
        if self.program.current is not None:
            current = self.program.current
            raise MadxError(current.place, f"the sequence {current.name} has no endsequence")
        return self.program

    def block(self, all_statements: Iterable[Statement], folders: list[Path], depth: int) -> None:
        """Carry out statements one after the other."""
        taken: bool | None = None  # whether a branch of the present if was taken; None outside of one
        for statement in all_statements:
            if depth > MAX_DEPTH:
                what = f"more than {MAX_DEPTH} blocks, macros and files within each other"
                raise MadxError(statement.place, f"{what}: does one contain itself?")
            self.step(statement.place)
            if statement.body is None:
                taken = None
                self.simple(statement, folders, depth)
                continue
            head = statement.text.strip()
            word = re.split(r"[\s(]", head, maxsplit=1)[0].lower()
            if word in ("else", "elseif") and taken is None:
                raise MadxError(statement.place, f"'{word}' does not follow an 'if'")
            match word:
                case "if":
                    taken = self.branch(statement, head, folders, depth, False)
                case "elseif":
                    taken = self.branch(statement, head, folders, depth, bool(taken))
                case "else":
                    if not taken:
                        self.inside(statement, folders, depth)
                    taken = None
                case "while":
                    taken = None
                    while self.condition(statement, head):
                        self.passes += 1
                        if self.passes > MAX_PASSES:
                            raise MadxError(statement.place, f"more than {MAX_PASSES} passes of loops: does it end?")
                        self.inside(statement, folders, depth)
                case _:
                    taken = None
                    self.macro(statement, head)

    def step(self, place: str) -> None:
        """Count a statement."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise MadxError(place, f"more than {MAX_STEPS} statements carried out")

    def branch(self, statement: Statement, head: str, folders: list[Path], depth: int, taken: bool) -> bool:
        """A branch with a condition; returns whether this or an earlier one was taken."""
        if taken or not self.condition(statement, head):
            return taken
        self.inside(statement, folders, depth)
        return True

    def condition(self, statement: Statement, head: str) -> bool:
        """Tell whether the condition in a block's head holds."""
        match = _HEAD.match(head)
        if match is None:
            raise MadxError(statement.place, f"{shorten(head)} has no condition in parentheses")
        words = tokens(match[2], statement.place)
        self.recognised += 1
        return holds(words, self.program.variables.evaluate, statement.place)

    def inside(self, statement: Statement, folders: list[Path], depth: int) -> None:
        """Carry out what stands in a block's braces."""
        assert statement.body is not None
        self.block(statements(statement.source, *statement.body), folders, depth + 1)

    def macro(self, statement: Statement, head: str) -> None:
        """`name(arguments): macro = {...}`."""
        match = _LABEL.match(head)
        if match is None or statement.body is None:
            raise MadxError(statement.place, f"not MAD-X: {shorten(head)}")
        parameters = [p.strip() for p in (match[2] or "()")[1:-1].split(",") if p.strip()]
        body = statement.source.text[slice(*statement.body)]
        self.macros[match[1].lower()] = Macro(match[1].lower(), tuple(parameters), body, statement.place)
        self.recognised += 1

    def simple(self, statement: Statement, folders: list[Path], depth: int) -> None:
        """A statement without a block."""
        place = statement.place
        label = _LABEL.match(statement.text)
        if label is not None:
            self.recognised += 1
            self.labelled(label, statement.text[label.end() :], place)
            return
        if re.match(r"\s*exec\s*,", statement.text, re.IGNORECASE):
            self.execute(statement.text, folders, place, depth)
            return
        words = tokens(statement.text, place)
        if not words or words[0].kind not in ("name", "string"):
            raise MadxError(place, f"not MAD-X: {shorten(join(words))}")
        mark = next((i for i, word in enumerate(words) if word.text in ("=", ":=", ",")), None)
        if mark is not None and words[mark].text != ",":
            self.recognised += 1
            self.assign(words[:mark], words[mark].text == ":=", words[mark + 1 :], place)
            return
        if len(words) > 1 and words[1].text != ",":
            raise MadxError(place, f"not MAD-X: {shorten(join(words))}")
        name = words[0].text.lower()
        idle = command_effects.is_idle(name) and name != "twiss" and name not in self.program.elements
        self.command(name, [] if idle else split_attributes(words[2:], place), place, folders, depth)

    def labelled(self, label: re.Match[str], rest: str, place: str) -> None:
        """`label: ...;`: an element, a line or a sequence."""
        name, parameters = label[1].strip("\"'").lower(), label[2]
        words = tokens(rest, place)
        if not words or words[0].kind not in ("name", "string"):
            raise MadxError(place, f"{name}: a class, line or sequence must follow")
        kind = words[0].text.lower()
        if kind == "line":
            while words[1:2] and words[1].text != "=":  # arguments after the word 'line' do not count in MAD-X
                del words[1]
            given = [p.strip().lower() for p in (parameters or "()")[1:-1].split(",") if p.strip()]
            self.program.lines[name] = parse_line(name, given, words[2:], place)
            self.program.sequences.pop(name, None)
            return
        if len(words) > 1 and words[1].text != ",":
            raise MadxError(place, f"{name}: a comma must follow {kind}: {shorten(join(words))}")
        attributes = split_attributes(words[2:], place)
        match kind:
            case "sequence":
                self.program.open_sequence(name, attributes, place)
            case "beam":
                self.program.beam(attributes, place)
            case _:
                self.program.define(name, kind, attributes, place)

    def assign(self, left: list[Token], deferred: bool, right: list[Token], place: str) -> None:
        """`name = expression;` and `name->attribute = expression;`, with or without a type before them."""
        types = [word.text for word in left[:-1] if word.text in _TYPES]
        target = left[len(types) :]
        if len(target) > 3 and target[1].text == "->" and target[3].text == "[":
            entry, whole = join(target).replace(" ", ""), f"{target[0].text}->{target[2].text}"
            why = "MAD-X cannot set a single entry of an array; give all of them"
            raise MadxError(place, f"{shorten(entry)} = {shorten(join(right))}: {why}: {shorten(whole)} = {{...}}")
        if not right or not target or any(word.kind != "name" for word in target[::2]):
            raise MadxError(place, f"not MAD-X: {shorten(join(left))} = {shorten(join(right))}")
        evaluate = self.program.variables.evaluate
        if len(target) == 3 and target[1].text == "->":
            # MAD-X evaluates at once, with := too
            value = value_of(Attribute(target[2].text, tuple(right), False), evaluate, place)
            self.program.assign(target[0].text, target[2].text, value, place)
            return
        if len(target) != 1:
            raise MadxError(place, f"not MAD-X: {shorten(join(left))} is not the name of a variable")
        name, variables = target[0].text, self.program.variables
        if name in variables.constants:
            self.program.note(name, "constant", "cannot be given another value, as in MAD-X", place)
            return
        expression = parse_expression(right, place)
        if deferred and "int" not in types:
            variables.set(name, expression)
        else:
            number = evaluate(expression)
            variables.set(name, float(int(number)) if "int" in types else number)
        if "const" in types:
            variables.constants.add(name)

    def command(self, name: str, attributes: list[Attribute], place: str, folders: list[Path], depth: int) -> None:
        """`name, attributes;`: an element's attributes, a node of a sequence, or a command."""
        program = self.program
        self.recognised += 1
        given = {a.name: a for a in attributes}
        if name in command_effects.END:
            raise _End
        if program.current is not None and (name in program.elements or name in program.sequences):
            ignored = sorted(given.keys() - {"at", "from"})
            if ignored:
                why = f"{', '.join(ignored)}: MAD-X does not take them where an element is placed by its own name"
                program.note(name, "sequence", why, place)
            program.place_node(name, attributes, place)
        elif name in program.elements:
            program.update(name, attributes, place)
        elif name == "return":
            raise _Return
        elif name == "endsequence":
            program.current = None
        elif name == "beam":
            program.beam(attributes, place)
        elif name == "resbeam":
            program.beams[text_of(given["sequence"].words) if "sequence" in given else ""] = Beam()
        elif name == "use":
            wanted = given.get("sequence") or given.get("period") or (attributes[0] if attributes else None)
            if wanted is not None:
                program.used = text_of(wanted.words) or wanted.name
        elif name == "option":
            if "rbarc" in given:
                program.arc_length = program.value(given["rbarc"], place) not in (False, 0.0)
                program.variables.changed()
        elif name == "call":
            self.call(text_of(given["file"].words) if "file" in given else "", folders, place, depth)
        elif name == "chdir":
            raise MadxError(place, "chdir is not carried out: give whole paths in `call`")
        else:
            self.other(name, given, place)

    def other(self, name: str, given: dict[str, Attribute], place: str) -> None:
        """A command that is not carried out."""
        program = self.program
        if name in command_effects.ALTERING:
            reason = f"{command_effects.ALTERING[name]}; {command_effects.REMEDY}"
            program.note(name, "command", reason, place, changes_beam=True)
        elif name == "twiss" and "tapering" in given:
            program.note(name, "tapering", f"alters magnets; {command_effects.REMEDY}", place, changes_beam=True)
        elif program.current is not None:
            raise MadxError(place, f"{name} in the sequence {program.current.name} is not defined")
        elif command_effects.is_idle(name) or name == "endmatch":
            program.note(name, "command", "not carried out; the ring stays as it is", place)
        else:
            self.recognised -= 1
            program.note(name, "statement", "neither a command nor an element; MAD-X skips it", place)

    def call(self, wanted: str, folders: list[Path], place: str, depth: int) -> None:
        """`call, file=...;`."""
        source, folder = self.files.called(wanted, folders, place)
        with contextlib.suppress(_Return):
            self.block(statements(source), [self.folder, folder], depth + 1)

    def execute(self, text: str, folders: list[Path], place: str, depth: int) -> None:
        """`exec, macro(arguments);`."""
        name, arguments = parse_exec(text, place)
        macro = self.macros.get(name)
        if macro is None:
            raise MadxError(place, f"exec: there is no macro {name}")

        def number(variable: str) -> float:
            return self.program.variables.evaluate(parse_expression(tokens(variable, place), place))

        body = expand_macro(macro, arguments, number, place)
        source = Source(macro.name, body, f"{place} (macro {name})")
        self.block(statements(source), folders, depth + 1)
        self.recognised += 1
