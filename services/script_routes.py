"""User scripts as the services see them: their descriptions, kept fresh, and their places in the OpenAPI document."""

import asyncio
import threading
from pathlib import Path
from typing import Any

from gnomon.lattice.near_names import near_names_hint
from gnomon.lattice.text import shorten
from gnomon.procedures.runnable import RUNNABLE
from gnomon.procedures.script_descriptions import DescribedScript, ScriptCatalogue
from gnomon.procedures.user_scripts import script_name
from gnomon.services.job_documents import ProcedureInfo
from gnomon.services.problems import ProblemError


class ScriptRoutes:
    """The scripts of a folder. They are described in processes of their own, when they are new or have changed."""

    def __init__(self, folder: Path | None) -> None:
        self._catalogue = ScriptCatalogue(folder)
        self._turn = threading.Lock()
        self.known: list[DescribedScript] = []

    async def all(self) -> list[DescribedScript]:
        """Describe all scripts."""
        return await asyncio.to_thread(self._describe)

    def _describe(self) -> list[DescribedScript]:
        with self._turn:
            self.known = self._catalogue.described()
            return self.known

    async def find(self, name: str) -> DescribedScript:
        """Find a script by the name of its procedure. Raises ProblemError; one that is broken is told with its line."""
        found = await self.all()
        for each in found:
            if each.name == name and not each.reason:
                return each
        names = [*RUNNABLE, *(each.name for each in found if each.name)]
        broken = "".join(f"; {each.reason}" for each in found if each.reason and script_name(each.file) == name)
        hint = broken or near_names_hint(name, names)
        raise ProblemError(
            404, f"there is no procedure {shorten(name)}{hint}", field="name", action="GET /v1/procedures lists all"
        )

    def add_to(self, document: dict[str, Any]) -> None:
        """Add a path for each script to an OpenAPI document, as its procedures have them."""
        general, schemas = document["paths"]["/v1/procedures/{name}"]["post"], document["components"]["schemas"]
        for each in self.known:
            if each.reason:
                continue
            title = "".join(part.title() for part in each.name.split("-"))
            schema = dict(each.options)
            for name, inner in schema.pop("$defs", {}).items():
                schemas[f"{title}{name}"] = _renamed(inner, title)
            schemas[f"{title}Options"] = _renamed(schema, title)
            request = {**schemas["JobRequest"], "title": f"{title}Request", "description": f"Start: {each.title}."}
            request["properties"] = request["properties"] | {
                "options": {"$ref": f"#/components/schemas/{title}Options"}
            }
            request["required"] = ["options"] if schema.get("required") else []
            schemas[f"{title}Request"] = request
            body = {"schema": {"$ref": f"#/components/schemas/{title}Request"}}
            document["paths"][f"/v1/procedures/{each.name}"] = {
                "post": {
                    **general,
                    "operationId": f"start_{each.name.replace('-', '_')}",
                    "summary": f"Start: {each.title}",
                    "parameters": [given for given in general["parameters"] if given["in"] != "path"],
                    "requestBody": {"required": True, "content": {"application/json": body}},
                }
            }


def script_info(each: DescribedScript) -> ProcedureInfo:
    """Describe a script as a procedure."""
    return ProcedureInfo(
        name=each.name, title=each.title, kind="script", script=str(each.file), options=dict(each.options)
    )


def _renamed(value: Any, title: str) -> Any:
    """Let references to definitions of the schema point to where they are in the document."""
    if isinstance(value, dict):
        return {
            key: f"#/components/schemas/{title}{each.rpartition('/')[2]}" if key == "$ref" else _renamed(each, title)
            for key, each in value.items()
        }
    return [_renamed(each, title) for each in value] if isinstance(value, list) else value
