"""Stored results as a catalogue of tiled: each run's file as a tree of named arrays, new ones as they come."""

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.lattice.identifiers import parse_identifier
from gnomon.procedures.errors import ProcedureError
from gnomon.procedures.results import Results
from gnomon.procedures.tiled_catalogue import SPEC, require_tiled, run_metadata
from gnomon.services import access_tokens
from gnomon.services.access_tokens import TokenError, find_tokens
from gnomon.services.catalogue import CatalogueError, read_annotation
from gnomon.services.web_server import is_loopback, serve_app

__all__ = ["SERVER", "make_catalogue_app", "serve_catalogue"]

#: What tiled needs to serve; the extra `services` has it, too.
SERVER = ("fastapi", "uvicorn")
#: Environment variable that holds the token, as for clients of tiled.
VARIABLE = "TILED_API_KEY"
#: Requests that write: methods, and paths with POST, which also asks for data.
WRITING, WRITING_PATH = ("PUT", "PATCH", "DELETE"), re.compile(r"/api/v1/(metadata|register|revisions|webhooks)\b")


def serve_catalogue(
    results: Results, host: str, port: int, token_file: Path | None, say: Callable[[Sequence[str]], None]
) -> None:
    """Serve results until SIGINT or SIGTERM; `say` gets lines for the user when the port is open.

    The token is in `token_file`, in TILED_API_KEY, or in a file beside the folder that is made. Raises TokenError,
    ProcedureError without the extra, and OSError if the address cannot be listened on.
    """
    require_tiled(*SERVER)
    told = {access_tokens.VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}
    tokens = find_tokens(results.folder.parent / "results.token", token_file, None, told)
    source = VARIABLE if told and token_file is None else tokens.source
    if not (tokens.full.isascii() and tokens.full.isalnum()):
        raise TokenError(f"{source}: tiled takes tokens of letters and digits alone; choose another one")

    def ready(url: str) -> None:
        lines = [
            f"tiled at {url}, with the results in {results.folder}",
            f"token: {source}",
            f"in Python: tiled.client.from_uri({url!r}, api_key=TOKEN)",
        ]
        if not is_loopback(host):
            lines.append("warning: token and data are not encrypted; put a proxy with TLS in front")
        say([*lines, "ready; stop with Ctrl-C"])

    serve_app(make_catalogue_app(results, tokens.full), host, port, ready)


def make_catalogue_app(results: Results, token: str) -> Any:
    """Make the application: a tiled server of the runs in a folder, which can only be read, with a token."""
    from tiled.adapters.mapping import MapAdapter
    from tiled.config import Authentication
    from tiled.server.app import build_app

    # Texts of variable length, which are served as bytes.
    warnings.filterwarnings("ignore", message="The dataset .* is of object type", category=UserWarning)
    catalogue = MapAdapter(_Runs(results), metadata={"title": "gnomon results"})
    app = build_app(catalogue, authentication=Authentication(single_user_api_key=token))
    app.middleware("http")(_only_read)
    return app


async def _only_read(request: Any, answer: Callable[[Any], Any]) -> Any:
    """Refuse what would write: tiled's own answer to that is an internal error."""
    from starlette.responses import JSONResponse

    if request.method in WRITING or (request.method == "POST" and WRITING_PATH.search(request.url.path)):
        return JSONResponse({"detail": "This catalogue can only be read."}, 405)
    return await answer(request)


class _Runs(Mapping[str, Any]):
    """The runs of a folder by name, read when they are asked for."""

    def __init__(self, results: Results) -> None:
        self._results = results

    def __iter__(self) -> Iterator[str]:
        return iter(self._results.names())

    def __len__(self) -> int:
        return len(self._results.names())

    def _annotations(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was said about a run later, as metadata."""
        identifier = parse_identifier(str(metadata.get("identifier", "")))
        if identifier is None:
            return {}
        try:
            told = read_annotation(self._results.folder, identifier)
        except CatalogueError:
            return {}
        found = {"doi": told.doi, "tags": list(told.tags), "proposal": told.proposal}
        return {key: value for key, value in found.items() if value}

    def __getitem__(self, name: str) -> Any:
        from tiled.adapters.hdf5 import HDF5Adapter
        from tiled.adapters.mapping import MapAdapter
        from tiled.structures.core import Spec

        path = self._results.folder / f"{name}.h5"
        if "/" in name or not path.is_file():
            raise KeyError(name)
        try:
            metadata = run_metadata(path)
        except ProcedureError:  # somebody else's file is shown without them
            metadata = {}
        metadata |= self._annotations(metadata)
        file = HDF5Adapter.from_uris(path.absolute().as_uri())
        specs = [Spec(*SPEC)] if metadata else []
        return MapAdapter({key: file[key] for key in file}, metadata=metadata, specs=specs)
