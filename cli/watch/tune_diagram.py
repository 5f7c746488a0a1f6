"""The tunes in a small resonance diagram."""

from math import floor

from gnomon.cli.watch.braille import Canvas
from gnomon.lattice import resonance_lines

#: Width of the window that is shown, in both planes.
WINDOW = 0.5


def draw_tunes(x: float, y: float, width: int, height: int) -> tuple[list[str], tuple[int, int]]:
    """Draw the half-integer square in which the tunes lie; returns its rows and the cell of the working point."""
    left, bottom = floor(x / WINDOW) * WINDOW, floor(y / WINDOW) * WINDOW
    canvas, columns, rows = Canvas(width, height), 2 * width, 4 * height
    for line in resonance_lines((left, left + WINDOW), (bottom, bottom + WINDOW)):
        for column in range(columns) if line.n else ():
            tune = (line.p - line.m * (left + WINDOW * column / (columns - 1))) / line.n
            canvas.dot(column, round((bottom + WINDOW - tune) / WINDOW * (rows - 1)))
        for row in range(rows) if line.m else ():
            tune = (line.p - line.n * (bottom + WINDOW * (rows - 1 - row) / (rows - 1))) / line.m
            canvas.dot(round((tune - left) / WINDOW * (columns - 1)), row)
    point = (int((x - left) / WINDOW * width), int((bottom + WINDOW - y) / WINDOW * height))
    return canvas.lines(), (min(point[0], width - 1), min(point[1], height - 1))
