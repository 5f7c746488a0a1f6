"""The format of a lattice file, from its name and, where a name can mean several, from its content."""

from pathlib import Path

from gnomon.lattice.exchange.findings import ExchangeError
from gnomon.lattice.exchange.readers import FORMATS
from gnomon.lattice.exchange.source_files import read_json

#: Formats that the end of a name decides.
BY_SUFFIX = {
    ".mat": "at-mat",
    ".m": "at-m",
    ".repr": "at-repr",
    ".seq": "madx",
    ".madx": "madx",
    ".mad": "madx",
    ".lte": "elegant",
    ".ele": "elegant",
    ".lat": "tracy",
}


def guess_format(file: Path) -> str:
    """Tell the format of a lattice file. Raises ExchangeError when neither its name nor its content decides."""
    suffix = file.suffix.lower()
    if suffix == ".json":
        return _format_of_json(file)
    if suffix not in BY_SUFFIX:
        raise ExchangeError(f"{file}: the name does not tell the format; give it with --format: {', '.join(FORMATS)}")
    return BY_SUFFIX[suffix]


def _format_of_json(file: Path) -> str:
    data = read_json(file, "JSON", nan=True)
    if isinstance(data, dict) and str(data.get("schema", "")).startswith("gnomon."):
        raise ExchangeError(f"{file}: this is gnomon's own {data['schema']}; it needs no import")
    if isinstance(data, dict) and "atjson" in data:
        return "at-json"
    if isinstance(data, dict) and isinstance(data.get("elements"), dict):
        return "lattice-json"
    return "lat2db"
