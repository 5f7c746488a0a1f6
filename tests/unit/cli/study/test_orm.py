"""`gnomon study orm`: what it asks of the study, and what it shows. Nothing is computed."""

from unit.cli.commands import gnomon
from unit.cli.study.made_up import Asked, rows


def test_orm_shows_the_rms_of_each_plane(asked: list[Asked]) -> None:
    output = gnomon("study", "orm").output
    by_magnet, by_supply = (rows(part) for part in output.split("rms of readings by supply [mm/A]"))
    assert asked == [Asked("bessy2", "optics nominal", {})]
    assert by_magnet["horizontal"] == ["1", "3.5355", "0.0000", "1.0000"]
    assert by_magnet["vertical"] == ["1", "100.0000", "2.0000", "50.0000"]
    assert by_supply["horizontal"] == ["1", "3.5355", "0.0000", "1.0000"]
    assert by_supply["vertical"] == ["1", "0.0000", "2.0000", "0.0000"]
    assert "not valid, monitor: BPM[2]\n" in output
    assert "not valid, supply" not in output
    assert "rms by RF frequency: x 2.0000, y 0.0000 um/kHz" in output
    assert "momentum deviation 1.000e-05" in output
