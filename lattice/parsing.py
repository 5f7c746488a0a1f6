"""From the text of a document to its model, with the place of what is wrong as a reader finds it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from gnomon.lattice._errors import DocumentError
from gnomon.lattice.checking import check
from gnomon.lattice.document import MachineDocument
from gnomon.lattice.files import read_bounded

Model = TypeVar("Model", bound=BaseModel)


def parse_machine(text: str, where: str) -> MachineDocument:
    """Read and check a machine document; `where` names it in errors.

    Raises DocumentError with file, place and reason.
    """
    document = parse_document(MachineDocument, text, where)
    check(document, where)
    return document


def read_machine(path: Path) -> MachineDocument:
    """`parse_machine` of a file."""
    try:
        text = read_bounded(path)
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{path}: cannot be read: {error}") from error
    return parse_machine(text, str(path))


def parse_document(model: type[Model], text: str, where: str) -> Model:
    """Parse JSON into `model`. Raises DocumentError with the place and the reason of the first error."""
    try:
        data = json.loads(text, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise DocumentError(f"{where}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error
    except ValueError as error:
        raise DocumentError(f"{where}: {error}") from error
    except RecursionError as error:
        raise DocumentError(f"{where}: not JSON: too many brackets within each other") from error
    try:
        return model.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        reason = first["msg"][0].lower() + first["msg"][1:]
        value = "" if isinstance(first["input"], dict | list) else f", got {first['input']!r}"
        raise DocumentError(f"{where}: {place(first['loc'], data)}: {reason}{value}{more}") from error


def place(location: tuple[int | str, ...], data: Any) -> str:
    """A pydantic location as a reader finds it: `elements[22] 'BM2D1R' length`."""
    words: list[str] = []
    for key in location:
        if isinstance(key, int):
            data = data[key] if isinstance(data, list) and key < len(data) else None
            name = data.get("name") if isinstance(data, dict) else None
            words[-1:] = [f"{words[-1] if words else ''}[{key}]" + (f" {name!r}" if isinstance(name, str) else "")]
        elif isinstance(data, dict) and key not in data and data.get("type", data.get("kind")) == key:
            continue  # the tag of a union, not a key of the document
        else:
            words.append(key)
            data = data.get(key) if isinstance(data, dict) else None
    return " ".join(words) or "document"


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        repeated = next(key for key, count in Counter(k for k, _ in pairs).items() if count > 1)
        raise ValueError(f"key {repeated!r} appears twice in one object, near {str(pairs[0][1])[:40]!r}")
    return result
