"""Widgets of the Phoebus Display Builder as XML, in the one style that all panels share.

Places are in pixels, from the upper left corner of the display or of the group that a widget stands in. The format is
that of `.bob` files, version 2.0.0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from xml.etree import ElementTree

from gnomon.db.pvs import Kind, PvSpec


class Box(NamedTuple):
    """Place of a widget."""

    x: int
    y: int
    width: int
    height: int


class Colour(NamedTuple):
    """Red, green, blue."""

    red: int
    green: int
    blue: int


@dataclass(frozen=True)
class Font:
    """A size in pixels, of the sans serif font that comes with Phoebus."""

    size: int = 14
    bold: bool = False


PAPER = Colour(236, 239, 243)
CARD = Colour(255, 255, 255)
INK = Colour(33, 43, 54)
FAINT = Colour(99, 115, 129)
BAR = Colour(32, 58, 88)
BUTTON = Colour(218, 226, 236)
DARK = Colour(173, 181, 189)
READ = Colour(243, 246, 249)
WRITE = Colour(255, 250, 224)
GOOD = Colour(46, 160, 67)
BAD = Colour(207, 34, 46)
MOVES = Colour(227, 138, 0)
TRACES = (Colour(9, 105, 218), Colour(207, 34, 46), Colour(31, 136, 61), Colour(154, 103, 0))

TITLE = Font(18, bold=True)
HEADING = Font(14, bold=True)
SMALL = Font(12)

#: Height of a card's title.
CARD_BAR = 26

Value = str | int | float | bool | Colour | Font


@dataclass
class Widget:
    """A widget: its kind, place and properties; `children` of a group have places inside it."""

    kind: str
    name: str
    box: Box
    properties: dict[str, Value] = field(default_factory=dict)
    children: list["Widget"] = field(default_factory=list)
    version: str = "2.0.0"
    more: list[ElementTree.Element] = field(default_factory=list)

    def xml(self) -> ElementTree.Element:
        """The widget with all that is in it."""
        element = ElementTree.Element("widget", type=self.kind, version=self.version)
        _text(element, "name", self.name)
        for key, number in zip(Box._fields, self.box, strict=True):
            _text(element, key, number)
        for key, value in self.properties.items():
            _property(element, key, value)
        element.extend(self.more)
        element.extend(child.xml() for child in self.children)
        return element


def display(title: str, width: int, height: int, widgets: Iterable[Widget]) -> bytes:
    """A whole file."""
    root = ElementTree.Element("display", version="2.0.0")
    _text(root, "name", title)
    _text(root, "width", width)
    _text(root, "height", height)
    _property(root, "background_color", PAPER)
    _text(root, "grid_visible", False)
    root.extend(widget.xml() for widget in widgets)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def label(text: str, box: Box, font: Font | None = None, colour: Colour = INK, align: int = 0) -> Widget:
    """A text that stays; `align` is 0 left, 1 middle, 2 right."""
    properties: dict[str, Value] = {
        "text": text,
        "font": font or Font(),
        "foreground_color": colour,
        "horizontal_alignment": align,
        "vertical_alignment": 1,
    }
    return Widget("label", text, box, properties)


def card(title: str, box: Box, children: Iterable[Widget] = ()) -> Widget:
    """A white area with its title in a bar; places of the children are counted from below the bar."""
    bar = label(title, Box(0, 0, box.width, CARD_BAR), HEADING, CARD)
    bar.properties |= {"transparent": False, "background_color": BAR, "text": f"  {title}"}
    below = [replace(child, box=child.box._replace(y=child.box.y + CARD_BAR)) for child in children]
    return area(title, box, [bar, *below], CARD)


def area(name: str, box: Box, children: Iterable[Widget], colour: Colour = BAR) -> Widget:
    """A coloured area without border or title."""
    properties: dict[str, Value] = {"style": 3, "background_color": colour, "transparent": False}
    return Widget("group", name, box, properties, list(children))


def reading(spec: PvSpec, box: Box, font: Font | None = None, *, units: bool = True) -> Widget:
    """A value that is shown, with its alarm as the border."""
    properties: dict[str, Value] = {
        "pv_name": address(spec),
        "font": font or Font(),
        "foreground_color": INK,
        "background_color": READ,
        "show_units": units,
        "horizontal_alignment": 0 if spec.kind in (Kind.STRING, Kind.STRINGS) else 2,
        "vertical_alignment": 1,
        "tooltip": tooltip(spec),
    }
    return Widget("textupdate", spec.name, box, properties)


def progress(spec: PvSpec, box: Box) -> Widget:
    """A bar from 0 to 1."""
    limits: dict[str, Value] = {"minimum": 0.0, "maximum": 1.0, "limits_from_pv": False}
    return Widget("progressbar", spec.name, box, {"pv_name": address(spec), **limits, "tooltip": tooltip(spec)})


def lamp(spec: PvSpec, box: Box, *, off: Colour, on: Colour) -> Widget:
    """A round lamp with its colours in the states 0 and 1."""
    colours: dict[str, Value] = {"off_color": off, "on_color": on}
    return Widget("led", spec.name, box, {"pv_name": address(spec), **colours, "tooltip": tooltip(spec)})


def computed(name: str, formula: str, what: str, box: Box, precision: int) -> Widget:
    """A number that Phoebus computes from PVs."""
    properties: dict[str, Value] = {
        "pv_name": formula,
        "font": Font(),
        "foreground_color": INK,
        "background_color": READ,
        "format": 1,
        "precision": precision,
        "show_units": False,
        "horizontal_alignment": 2,
        "vertical_alignment": 1,
        "tooltip": what,
    }
    return Widget("textupdate", name, box, properties)


def computed_lamp(name: str, formula: str, what: str, box: Box) -> Widget:
    """A lamp that is lit while what Phoebus computes from PVs is 1."""
    colours: dict[str, Value] = {"off_color": DARK, "on_color": MOVES}
    return Widget("led", name, box, {"pv_name": formula, **colours, "tooltip": what})


def entry(spec: PvSpec, box: Box, *, units: bool = True) -> Widget:
    """Widget for what an operator sets: a choice of states, a number with arrows, or a text."""
    shared: dict[str, Value] = {"pv_name": address(spec), "font": Font(), "tooltip": tooltip(spec)}
    if spec.kind is Kind.ENUM:
        return Widget("combo", spec.name, box, shared | {"items_from_pv": True})
    shared |= {"background_color": WRITE, "foreground_color": INK, "show_units": units}
    if spec.kind is Kind.FLOAT and spec.drive is not None:
        shared |= {"limits_from_pv": True, "increment": step(spec.drive)}
        return Widget("spinner", spec.name, box, shared)
    return Widget("textentry", spec.name, box, shared, version="3.0.0")


def step(drive: tuple[float, float]) -> float:
    """Change by one press of an arrow: about a thousandth of the range, as 1, 2 or 5 times a power of ten."""
    target = (drive[1] - drive[0]) / 1000.0
    exact = f"{target:.0e}"
    digit, power = int(exact[0]), exact[2:]
    return float(f"{max(d for d in (1, 2, 5) if d <= digit)}e{power}")


def digits(size: float) -> int:
    """Number of decimals that show a number of this size."""
    return max(0, -int(f"{size:.0e}".partition("e")[2]))


def button(text: str, file: str, box: Box, colour: Colour = BUTTON, ink: Colour = INK) -> Widget:
    """Button that opens another panel in the place of this one."""
    actions = ElementTree.Element("actions")
    action = ElementTree.SubElement(actions, "action", type="open_display")
    for key, value in (("file", file), ("target", "replace"), ("description", text)):
        _text(action, key, value)
    properties: dict[str, Value] = {
        "text": text,
        "font": HEADING,
        "background_color": colour,
        "foreground_color": ink,
        "tooltip": f"open {file}",
    }
    return Widget("action_button", text, box, properties, version="3.0.0", more=[actions])


def press(text: str, spec: PvSpec, value: int, box: Box) -> Widget:
    """Button that puts a value to a PV."""
    actions = ElementTree.Element("actions")
    action = ElementTree.SubElement(actions, "action", type="write_pv")
    for key, shown in (("pv_name", "$(pv_name)"), ("value", value), ("description", text)):
        _text(action, key, shown)
    properties: dict[str, Value] = {
        "text": text,
        "pv_name": address(spec),
        "font": Font(),
        "background_color": BUTTON,
        "foreground_color": INK,
        "tooltip": tooltip(spec),
    }
    return Widget("action_button", spec.name, box, properties, version="3.0.0", more=[actions])


def table(spec: PvSpec, box: Box, widths: Sequence[int]) -> Widget:
    """A table that is shown, with the widths of its columns."""
    columns = ElementTree.Element("columns")
    for (_, title, _), width in zip(spec.columns, widths, strict=True):
        column = ElementTree.SubElement(columns, "column")
        for key, value in (("name", title), ("width", width), ("editable", False)):
            _text(column, key, value)
    properties: dict[str, Value] = {
        "pv_name": address(spec),
        "font": Font(),
        "foreground_color": INK,
        "background_color": READ,
        "show_toolbar": False,
        "editable": False,
        "tooltip": tooltip(spec),
    }
    return Widget("table", spec.name, box, properties, more=[columns])


@dataclass(frozen=True)
class Trace:
    """A curve: PVs of both axes, the text of the legend, and whether points are joined."""

    x: str
    y: str
    name: str
    joined: bool = True
    right: bool = False


def plot(name: str, box: Box, x_title: str, y_titles: Sequence[str], traces: Sequence[Trace]) -> Widget:
    """Curves over a common axis; a second title makes an axis on the right."""
    axes = ElementTree.Element("y_axes")
    for number, title in enumerate(y_titles):
        _axis(ElementTree.SubElement(axes, "y_axis"), title, right=number > 0)
    x_axis = ElementTree.Element("x_axis")
    _axis(x_axis, x_title)
    curves = ElementTree.Element("traces")
    for colour, trace in zip(TRACES, traces, strict=False):
        curve = ElementTree.SubElement(curves, "trace")
        values: dict[str, Value] = {"name": trace.name, "x_pv": trace.x, "y_pv": trace.y, "axis": int(trace.right)}
        style: dict[str, Value] = {
            "trace_type": 1 if trace.joined else 0,
            "color": colour,
            "line_width": 2 if trace.joined else 0,
            "point_type": 0 if trace.joined else 2,
            "point_size": 7,
        }
        for key, value in (values | style).items():
            _property(curve, key, value)
    properties: dict[str, Value] = {"title": "", "show_legend": True, "show_toolbar": False, "background_color": CARD}
    return Widget("xyplot", name, box, properties, version="3.0.0", more=[x_axis, axes, curves])


def tabs(name: str, box: Box, pages: Sequence[tuple[str, Sequence[Widget]]]) -> Widget:
    """Pages one behind the other; widgets of each have places inside the page."""
    listed = ElementTree.Element("tabs")
    for title, widgets in pages:
        tab = ElementTree.SubElement(listed, "tab")
        _text(tab, "name", title)
        ElementTree.SubElement(tab, "children").extend(widget.xml() for widget in widgets)
    properties: dict[str, Value] = {"tab_height": TAB_HEIGHT, "background_color": PAPER, "font": HEADING}
    return Widget("tabs", name, box, properties, more=[listed])


TAB_HEIGHT = 30


def address(spec: PvSpec) -> str:
    """The PV as Phoebus finds it: texts and tables over PV Access, as Channel Access cuts texts and has no tables."""
    return ("pva://" if spec.kind in (Kind.STRING, Kind.STRINGS, Kind.TABLE) else "ca://") + spec.name


def tooltip(spec: PvSpec) -> str:
    """Text of a tooltip: a PV's description, name and value."""
    return f"{spec.description}\n$(pv_name)\n$(pv_value)"


def _axis(element: ElementTree.Element, title: str, *, right: bool = False) -> None:
    for key, value in (("title", title), ("autoscale", True), ("show_grid", True), ("on_right", right)):
        if key != "on_right" or element.tag == "y_axis":
            _property(element, key, value)
    _property(element, "title_font", HEADING)
    _property(element, "scale_font", SMALL)


def _text(parent: ElementTree.Element, key: str, value: str | float | bool) -> None:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    ElementTree.SubElement(parent, key).text = text


def _property(parent: ElementTree.Element, key: str, value: Value) -> None:
    match value:
        case Colour():
            holder = ElementTree.SubElement(parent, key)
            ElementTree.SubElement(holder, "color", {k: str(v) for k, v in value._asdict().items()})
        case Font():
            holder = ElementTree.SubElement(parent, key)
            style = "BOLD" if value.bold else "REGULAR"
            ElementTree.SubElement(holder, "font", family="Liberation Sans", style=style, size=f"{value.size}.0")
        case _:
            _text(parent, key, value)
