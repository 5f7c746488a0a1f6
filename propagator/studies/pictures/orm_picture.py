"""The picture of the orbit response: readings of monitors per current of each steering supply, and the RF's part."""

import numpy as np

from gnomon.propagator.studies.pictures.style import Frame, drawing, title
from gnomon.propagator.studies.result_files import StudyResult


def plot_orm(result: StudyResult, frame: Frame) -> None:
    """Draw the matrix by supply with the RF frequency held, and the part due to holding the frequency, in mm/A."""
    data = {name: quantity.data for name, quantity in result.quantities.items()}
    planes = np.array(result.names["supply plane"])
    order = np.argsort(planes == "y", kind="stable")
    held, freed = (
        np.concatenate([data[f"{plane} by supply, {hold} held"] for plane in "xy"])[:, order]
        for hold in ("momentum", "frequency")
    )
    horizontal, monitors = int(np.count_nonzero(planes != "y")), len(result.names["monitors"])
    below = f"by supply, in beam order: {horizontal} horizontal | {planes.size - horizontal} vertical"
    pictures = (
        ("RF frequency held", freed, below),
        ("part of the momentum, by the RF frequency", freed - held, "as on the left; other scale"),
    )
    with drawing(frame, (13.0, 6.4)) as figure:
        for axis, (text, matrix, label) in zip(figure.subplots(1, 2), pictures, strict=True):
            size = float(np.nanmax(np.abs(matrix), initial=0.0)) or 1.0
            image = axis.imshow(matrix, cmap="RdBu_r", vmin=-size, vmax=size, aspect="auto", interpolation="nearest")
            figure.colorbar(image, ax=axis, label="mm/A", pad=0.015)
            axis.set_title(text, fontsize=10.5)
            axis.axhline(monitors - 0.5, color="#1a1a1a", lw=0.8)
            axis.axvline(horizontal - 0.5, color="#1a1a1a", lw=0.8)
            axis.set_xlabel(label)
            axis.set_yticks(
                [monitors / 2, 1.5 * monitors], ["x at monitors", "y at monitors"], rotation=90, va="center"
            )
            axis.grid(False)
        invalid = int(np.count_nonzero(~data["monitor valid"])), int(np.count_nonzero(~data["supply valid"]))
        note = f"; not valid: {invalid[0]} monitors, {invalid[1]} supplies" if any(invalid) else ""
        title(figure, result.facts, f"{monitors} monitors, {planes.size} steering supplies{note}")
