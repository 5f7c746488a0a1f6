"""The language of MAD-X: numbers, expressions, assignments, control flow and macros have MAD-X's own values."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from gnomon.lattice.exchange import ExchangeError
from gnomon.lattice.exchange.madx import read_madx
from gnomon.lattice.exchange.madx.called_files import Files
from gnomon.lattice.exchange.madx.interpreter import Interpreter
from gnomon.lattice.exchange.madx.madx_run import Program
from unit.lattice.exchange.madx_oracle import MadxSession, needs_madx, our_text, session


@pytest.fixture
def madx(no_process_left_behind: None) -> Iterator[MadxSession]:
    with session() as made:
        yield made


@pytest.fixture(scope="module")
def long_lived_madx() -> Iterator[MadxSession]:
    """One process for texts that take nothing from each other; a process of its own takes each 0.3 s."""
    with session() as made:
        made.start()
        yield made


def carried_out(folder: Path, text: str) -> Program:
    """The program after a text."""
    file = our_text(folder, text)
    files = Files()
    return Interpreter(file, files).run(files.read(file, file.name))


def value(program: Program, name: str) -> float:
    return program.number(program.variables.values[name])


#: Texts that set v1, v2, ... ; MAD-X gives the right values.
TEXTS = {
    "precedence": "v1=2^3^2; v2=-2^2; v3=6/2*3; v4=6/2/3; v5=1-2-3; v6=2*3^2; v7=2^3*2; v8=-(2)^2; v9=10^(-3);",
    "parentheses": "v1=(5)+(0.25); v2=(2)*(3); v3=-(-3); v4=((1+2)*(3+4)); v5=2*(-3); v6=-3+2; v7=+3; v8=2/(-4);",
    "numbers": "v1=0.8d0; v2=1.e-3; v3=.5; v4=5.; v5=1D2; v6=1.5E+2; v7=1e3-1; v8=2e3^2;",
    "functions": "v1=sqrt(2)+exp(1)+log(3)+log10(100); v2=sin(1)+cos(1)+tan(1); v3=asin(0.5)+acos(0.5)+atan(2); "
    "v4=sinh(1)+cosh(1)+tanh(1); v5=abs(-2); v6=round(2.5); v7=round(-2.5); v8=floor(-2.5); v9=ceil(2.1); "
    "v10=frac(-2.3); v11=erf(0.3); v12=erfc(0.3); v13=sinc(0.5); v14=sinc(0); v15=round(3.5);",
    "constants": "v1=pi; v2=twopi; v3=degrad; v4=raddeg; v5=e; v6=emass; v7=pmass; v8=mumass; v9=nmass; v10=umass; "
    "v11=clight; v12=qelect; v13=hbar; v14=erad; v15=prad; v16=amu0;",
    "deferred": "a0=1; v1:=a0+1; v2=v1; a0=5; v3:=2*b0; b0:=3; v4=v3; b0=4; v5=v3; v6:=none*2; v7=nobody+1;",
    "kinds of variable": "const v1=5; v1=6; real v2=3; int v3=7/2; int v4=-3.7; real const v5=2; v5=9;",
    "case and space": "V1=3 ; a.b=4; v2 = 2 * ( A.B\n + 1 ) ^ 2 ;; ; v3=v1; ! v3=7;\n// v3=8;\n/* v3=9;\n v3=10; */",
    "branches": "if (1<2 && 2<3) {v1=1;} else {v1=2;} if (3<>3) {v2=1;} elseif (3<=3) {v2=2;} else {v2=3;} "
    "if (1==2 || 2==2) {v3=1;} if (1>2) {v4=1;} elseif (2>3) {v4=2;} else {v4=3;} if (1<2) {v5=1; if (2<1) {v5=2;} "
    "else {v5=3;}} else {v5=4;} v6=1; if (2>1) {v6=2;}",
    "loops": "i0=0; while (i0<5) {i0=i0+1; if (i0==3) {v1=i0;}} v2=i0; v3=1; while (v3<100 && i0>0) {v3=v3*2;} v4=1;",
    "macros": "m1(xx,yy): macro = {xx = yy; z_xx = 2*yy;} exec, m1(v1,4); v2=z_v1; m2(kk): macro = {a.kk=1+kk;} i1=3; "
    "exec, m2($i1); v3=a.3; m3: macro = {v4 = 5; if (v4==5) {v5=2;}} exec, m3; exec, m3(); v6=0; "
    "m4(x): macro = {max = x;} exec, m4(v6); "
    "m5(x): macro = {v7=x;} exec, m5(1.5e+2); q5: quadrupole, l=3; m6(x): macro = {v8=x;} exec, m6(q5->l);",
    "elements": "q1: quadrupole, l=1, k1=2; q1->k1=5; v1=q1->k1; q1, k1=7; v2=q1->k1; q2: q1; q1, k1=9; v3=q2->k1; "
    "v4=q1->k1; kk=3; q3: quadrupole, l=2, k1:=kk, tilt=kk; q4: q3; kk=4; v6=q4->k1; q3, k1=9; v7=q4->k1; "
    "v8=q3->tilt; v9=q4->l; tt=0.3; q4->k1 := tt; tt=0.4; v10=q4->k1;",
    "beam": "beam, energy=4, particle=proton; v2=beam->pc; v3=beam->gamma; v4=beam->beta; v5=beam->mass;",
}  # fmt: skip


@needs_madx
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_values_are_those_of_madx(text: str, tmp_path: Path, long_lived_madx: MadxSession) -> None:
    keeps_names = "const" in text  # which no later text could then set
    with session() if keeps_names else nullcontext(long_lived_madx) as madx:
        theirs = madx.run(text)
        assert theirs is not None, "MAD-X refuses the text"
        ours = carried_out(tmp_path, text)
        names = [n for n in ours.variables.values if n.startswith("v") and n[1:].isdigit()]
        assert names
        for name in names:
            assert value(ours, name) == pytest.approx(theirs.globals[name], rel=1e-15, abs=1e-30), name


#: What MAD-X does not take, or takes for something that nobody means: the line and what is said about it.
REFUSED = {
    "a sign after an operator": ("a=2*-3;", "line 1: .*needs parentheses"),
    "two signs": ("\nb=2--3;", "line 2: .*needs parentheses"),
    "an open parenthesis": ("a=(1+2;", r"'\)' is missing"),
    "two numbers": ("a=2 3;", "'3' is not expected"),
    "a comparison as a value": ("a=1<2;", "'<' is not expected"),
    "a text as a value": ("a='x';", "'x' is not expected"),
    "an unknown function": ("a=atan2(1,2);", "atan2.*there is no such function"),
    "a random number": ("a=ranf();", "ranf.*random"),
    "a table": ("a=table(twiss,x);", "table.*from a table"),
    "division by zero": ("a=1/0;", "division by zero"),
    "a root of -1": ("a=sqrt(-1);", "not a real number"),
    "a number too large": ("a=10^400;", "too large"),
    "infinity": ("a=1e999;", "not a finite number"),
    "a variable of itself": ("x:=x+1; y=x;", "x is defined by itself"),
    "a circle of variables": ("x:=y; y:=x; z=x;", "is defined by itself"),
    "a loop without end": ("a=1;\nwhile (1<2) {a=a+1;}", "line 2: more than 1000 passes"),
    "a macro of itself": ("m: macro = {exec, m;} exec, m;", "line 1 .*blocks, macros and files within each other"),
    "a macro that grows": ("m(x): macro = {" + "x " * 9999 + "} exec, m(" + "y" * 99 + ");", "longer than"),
    "a macro without arguments": ("m(x): macro = {x=1;} exec, m;", "takes 1 arguments, not 0"),
    "an argument with a sign": ("m(x): macro = {a=x;}\nexec, m(-1.2);", "line 2: .*-1.2.*first word of an argument"),
    "an argument of several words": ("m(x): macro = {a=x;} exec, m(2*b);", "2\\*b.*first word of an argument"),
    "an argument in parentheses": ("m(x): macro = {a=x;} exec, m((b));", "first word of an argument"),
    "an unknown macro": ("exec, nope(3);", "there is no macro nope"),
    "a condition that is none": ("a=1; if (a) {b=1;}", "the condition 'a' is not"),
    "a condition in parentheses": ("if ((1<2) && (2<3)) {a=1;}", "the condition"),
    "three comparisons": ("if (1<2 && 2<3 && 3<4) {a=1;}", "MAD-X takes one"),
    "an if without braces": ("q: quadrupole; if (1<2) q, k1=0.4;", "line 1"),
    "an else alone": ("a=1; else {a=2;}", "'else' does not follow"),
    "a statement without end": ("a=1;\nb=2", "line 2: the statement 'b=2' has no ';'"),
    "a brace without end": ("a=1;\nif (1<2) {a=2;", "line 2: .*has no its '}'|has no '}'|its '}'"),
    "a missing file": ("call, file='nope.madx';", "call: there is no file 'nope.madx'"),
    "an element without class": ("q: ;", "q: a class, line or sequence must follow"),
    "an assignment to nothing": ("q->k1=3;", "there is no element q"),
    "an entry of an array": (
        "m: multipole, knl={0, 0.01};\nm->knl[1] = 0.03;",
        r"line 2: 'm->knl\[1\]' = '0\.03': MAD-X cannot set a single entry of an array; give all of them: "
        r"'m->knl' = \{\.\.\.\}",
    ),
    "an entry of an array in an expression": (
        "m: multipole, knl={0, 0.01};\nv = 2*m->knl[1];", r"line 2: .*cannot read a single entry.*m->knl\[\.\.\.\]"
    ),
    "a beam below its mass": ("beam, particle=proton, energy=0.5;", "must be above the mass"),
    "a position without at": ("q: quadrupole,l=1; r: sequence, l=3; q; endsequence;", "q has no position"),
    "a sequence without length": ("r: sequence; endsequence;", "the sequence r has no length"),
    "a sequence without end": ("r: sequence, l=1;", "r has no endsequence"),
    "a name twice in a sequence": ("q: marker; r: sequence, l=9; x:q,at=1; x:q,at=2; endsequence;", "x stands twice"),
    "an unknown class in a sequence": ("r: sequence, l=9; nope, at=1; endsequence;", "nope in the sequence r"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_input_that_madx_refuses_is_refused_with_its_line(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gnomon.lattice.exchange.madx.interpreter.MAX_PASSES", 1000)  # the real limit takes seconds
    with pytest.raises(ExchangeError, match=said):
        read_madx(our_text(tmp_path, text), None, None)


@pytest.mark.parametrize(
    "text",
    ["", "# A title\n\nSome words, and a list:\n- one; two\n", "{}", "hello;", "<html>x;</html>", "\x00\x01;",
     '{"elements": [1, 2]}', "a,b;c\n1,2;3\n", "import numpy as np\nprint(np.pi)\n", "D: DRIFT, L=1\nQ: QUAD, L=2\n"],
)  # fmt: skip
def test_a_text_of_another_kind_is_refused_as_not_madx(text: str, tmp_path: Path) -> None:
    with pytest.raises(ExchangeError, match=r"ring\.madx: not MAD-X: "):
        read_madx(our_text(tmp_path, text), None, None)


def test_files_are_called_from_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    our_text(tmp_path / "sub", "k=0.5; call, file='deeper.str'; k=k+1; return; k=77;", "a.str")
    our_text(tmp_path / "sub", "d: drift, l=k;", "deeper.str")
    text = 'beam, energy=1; call, file = "sub/a.str"; ring: line=(d,d); q: quadrupole, l=k;'
    ring = read_madx(our_text(tmp_path, text), None, None)
    assert [e.length for e in ring.elements] == [0.5, 0.5]
    assert ring.elements[0].place == "deeper.str, line 1"


@pytest.mark.parametrize("word", ["stop", "exit", "quit", "return"])
def test_the_file_ends_where_it_says_so(word: str, tmp_path: Path) -> None:
    ring = read_madx(our_text(tmp_path, f"beam,energy=1; d: drift, l=1; ring: line=(d); {word}; d, l=9;"), None, None)
    assert ring.elements[0].length == 1.0


def test_undefined_variables_are_zero_and_listed_with_their_line(tmp_path: Path) -> None:
    text = "beam, energy=1;\nd: drift, l=1+nobody;\nq: quadrupole, l=1, k1:=later; ring: line=(d,q);\nlater=2;"
    ring = read_madx(our_text(tmp_path, text), None, None)
    assert [(f.element, f.place, f.changes_beam) for f in ring.findings] == [("nobody", "line 2", False)]
    assert ring.elements[0].length == 1.0
    assert ring.elements[1].numbers("PolynomB") == (0.0, 2.0)


def test_commands_that_run_programs_or_write_files_are_not_carried_out(tmp_path: Path) -> None:
    text = f"""beam, energy=1; d: drift, l=1; ring: line=(d);
    system, "touch {tmp_path}/system"; save, sequence=ring, file="{tmp_path}/save"; value, d->l;
    twiss, file="{tmp_path}/twiss"; assign, echo="{tmp_path}/echo"; removefile, file="{tmp_path}/ring.madx";
    select, flag=twiss, column=name, s; write, table=twiss, file="{tmp_path}/write"; plot, file="{tmp_path}/plot";
    """
    ring = read_madx(our_text(tmp_path, text), None, None)
    assert [p.name for p in tmp_path.iterdir()] == ["ring.madx"]
    assert not any(f.changes_beam for f in ring.findings)


def test_a_command_that_alters_the_ring_is_refused_by_name_and_line(tmp_path: Path) -> None:
    text = "beam, energy=1; d: drift, l=1; ring: line=(d);\nmatch, sequence=ring;\nvary, name=k1;\nendmatch;\nmakethin;"
    found = {f.element: f for f in read_madx(our_text(tmp_path, text), None, None).findings if f.changes_beam}
    assert {name: f.place for name, f in found.items()} == {"match": "line 2", "vary": "line 3", "makethin": "line 5"}
    assert "save, sequence=" in found["match"].why
