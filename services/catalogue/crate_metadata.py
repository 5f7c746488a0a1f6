"""The metadata of a crate as JSON-LD, by RO-Crate 1.1: files, people, programs, runs (https://w3id.org/ro/crate/1.1)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gnomon
from gnomon.lattice.identifiers import parse_identifier
from gnomon.services.catalogue.catalogue_entry import CatalogueEntry
from gnomon.services.catalogue.crate_contents import CratePart, machine_identifier

__all__ = ["METADATA", "SPECIFICATION", "CrateFacts", "WrittenFile", "crate_metadata"]

#: Name of the metadata file, and the version of the specification.
METADATA, SPECIFICATION = "ro-crate-metadata.json", "https://w3id.org/ro/crate/1.1"
#: Terms that the context of version 1.1 lacks.
MORE_TERMS = {"sha256": "https://schema.org/sha256"}

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CrateFacts:
    """Title, facility and license of a crate, and the day of its export (ISO 8601); `license` may be an address."""

    title: str
    facility: str
    license: str
    date: str


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file of a crate as it was written: path, size [bytes], SHA-256."""

    path: str
    size: int
    sha256: str


def crate_metadata(
    facts: CrateFacts,
    parts: Sequence[CratePart],
    written: Mapping[str, WrittenFile],
    others: Iterable[WrittenFile],
    missing: Sequence[str] = (),
) -> Node:
    """Make the metadata of parts that were written; `others` are files about the crate itself.

    `missing` are identifiers of sources that are not in it.
    """
    nodes: dict[str, Node] = {}
    place = {part.identifier: part.path for part in parts}
    entries = [part.entry for part in parts if part.entry is not None]
    root = _root(facts, parts, nodes)
    for part in parts:
        nodes[part.path] = _file(part, written[part.path], nodes)
        if part.entry is not None and part.entry.kind in ("result", "study"):
            action = _action(part, part.entry, place, nodes)
            nodes[action["@id"]] = action
            root.setdefault("mentions", []).append(_to(action["@id"]))
    for file in others:
        name = {"README.md": "what is in this folder", "arrays.csv": "all arrays with units and axes"}[file.path]
        encoding = "text/csv" if file.path.endswith(".csv") else "text/markdown"
        nodes[file.path] = {"@id": file.path, "@type": "File", "name": name, "encodingFormat": encoding, **_sums(file)}
        root["hasPart"].append(_to(file.path))
    for identifier in missing:
        nodes[identifier] = {"@id": identifier, "@type": "Thing", "name": f"{identifier}, which is not in this folder"}
    keywords = sorted({tag for entry in entries for tag in entry.tags})
    if keywords:
        root["keywords"] = ", ".join(keywords)
    descriptor: Node = {
        "@id": METADATA, "@type": "CreativeWork", "conformsTo": _to(SPECIFICATION), "about": _to("./"),
    }  # fmt: skip
    graph = [_single(node) for node in (descriptor, root, *nodes.values())]
    return {"@context": [f"{SPECIFICATION}/context", MORE_TERMS], "@graph": graph}


def _single(node: Node) -> Node:
    """Write a list of one as that one, as JSON-LD recommends."""
    return {key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in node.items()}


def _root(facts: CrateFacts, parts: Sequence[CratePart], nodes: dict[str, Node]) -> Node:
    entries = [part.entry for part in parts if part.entry is not None]
    machines = ", ".join(dict.fromkeys(entry.machine for entry in entries if entry.machine)) or "no machine"
    root: Node = {
        "@id": "./", "@type": "Dataset", "name": facts.title,
        "description": f"{len(entries)} results, studies, recordings, snapshots or calibrations of {machines}, written "
        f"by gnomon {gnomon.__version__}, with the machine documents; README.md explains them.",
        "datePublished": facts.date,
        "identifier": [entry.identifier for entry in entries],
        "hasPart": [_to(part.path) for part in parts],
        "author": [_to(name) for name in dict.fromkeys(_person(entry, nodes) for entry in entries)],
        "license": _to(_license(facts.license, nodes)),
    }  # fmt: skip
    if facts.facility:
        nodes["#facility"] = {"@id": "#facility", "@type": "Organization", "name": facts.facility}
        root["publisher"] = _to("#facility")
        for node in nodes.values():
            if node["@type"] == "Person":
                node["affiliation"] = _to("#facility")
    return root


def _license(license: str, nodes: dict[str, Node]) -> str:
    address = license if re.match(r"https?://\S+$", license) else "#license"
    told = license or "No license was stated: ask the facility or the authors before you use or share these data."
    nodes[address] = {"@id": address, "@type": "CreativeWork", "name": told, "description": f"License: {told}"}
    return address


def _file(part: CratePart, file: WrittenFile, nodes: dict[str, Node]) -> Node:
    entry = part.entry
    node: Node = {
        "@id": part.path, "@type": "File", "name": part.title, "identifier": part.identifier,
        "encodingFormat": part.encoding, **_sums(file),
    }  # fmt: skip
    if entry is not None:
        more = {
            "name": f"{entry.name}: {entry.title}", "description": entry.note, "dateCreated": entry.made,
            "keywords": ", ".join(entry.tags), "sameAs": f"https://doi.org/{entry.doi}" if entry.doi else "",
        }  # fmt: skip
        node |= {key: text for key, text in more.items() if text}
        node["author"] = _to(_person(entry, nodes))
    variables = []
    digits = _digits(part.identifier)
    for array in part.arrays:
        name = f"#array-{digits}-{re.sub(r'[^A-Za-z0-9._-]+', '-', array.path.strip('/'))}"
        axes = f"; axes: {', '.join(array.axes)}" if array.axes else ""
        nodes[name] = {
            "@id": name, "@type": "PropertyValue", "name": array.path,
            "description": (array.description or array.path.rpartition("/")[2].replace("_", " ")) + axes,
            "unitText": array.unit or "1",
        }  # fmt: skip
        variables.append(_to(name))
    if variables:
        node["variableMeasured"] = variables
    return node


def _action(part: CratePart, entry: CatalogueEntry, place: Mapping[str, str], nodes: dict[str, Node]) -> Node:
    """Describe how a file was made: by whom, with which programs, from what."""
    programs = []
    for program, number in (entry.versions or {"gnomon": ""}).items():
        name = f"#program-{program}-{number}".rstrip("-")
        nodes[name] = {"@id": name, "@type": "SoftwareApplication", "name": program}
        if number:
            nodes[name]["softwareVersion"] = number
        programs.append(_to(name))
    used = [place[source] for source in entry.sources if source in place]
    used += [source for source in entry.sources if source not in place and parse_identifier(source) is not None]
    machine = machine_identifier(entry.document) if entry.document else ""
    if machine in place:
        used.append(place[machine])
    node: Node = {
        "@id": f"#made-{_digits(part.identifier)}", "@type": "CreateAction",
        "name": f"{entry.title} of {entry.machine}", "startTime": entry.made,
        "agent": _to(_person(entry, nodes)), "instrument": programs, "result": _to(part.path),
    }  # fmt: skip
    if entry.ended:
        node["endTime"] = entry.ended
    if entry.note:
        node["description"] = entry.note
    if entry.proposal:
        name = "#proposal-" + re.sub(r"[^A-Za-z0-9._-]+", "-", entry.proposal)
        nodes[name] = {"@id": name, "@type": "Project", "name": entry.proposal}
        node["isPartOf"] = _to(name)
    if used:
        node["object"] = [_to(name) for name in used]
    return node


def _person(entry: CatalogueEntry, nodes: dict[str, Node]) -> str:
    """Add the person who made something, by the name of the user; return the id."""
    user = entry.user or "unknown"
    name = "#user-" + re.sub(r"[^A-Za-z0-9._-]+", "-", user)
    nodes.setdefault(name, {"@id": name, "@type": "Person", "name": user})
    return name


def _sums(file: WrittenFile) -> Node:
    return {"contentSize": str(file.size), "sha256": file.sha256}


def _digits(identifier: str) -> str:
    return identifier.rpartition("/")[2][:12]


def _to(name: str) -> Node:
    return {"@id": name}
