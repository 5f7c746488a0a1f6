"""EPICS base soft IOC, all in C: the setpoint processes a tree of fanout records, which processes the readings."""

import os
import tempfile

import pvxslibs.path
from common import Settings, parse_settings, serve_until_stopped
from epicscorelibs import ioc

FANOUT_LINKS = "0123456789ABCDEF"


def record(kind: str, name: str, **fields: str) -> str:
    body = "".join(f'    field({field}, "{value}")\n' for field, value in fields.items())
    return f'record({kind}, "{name}") {{\n{body}}}\n'


def fanout_tree(root: str, leaves: list[str]) -> list[str]:
    """Fanout records that process all leaves when the record `root` is processed."""
    width = len(FANOUT_LINKS)
    if len(leaves) <= width:
        links = {f"LNK{link}": leaf for link, leaf in zip(FANOUT_LINKS, leaves, strict=False)}
        return [record("fanout", root, **links)]
    share = -(-len(leaves) // width)
    branches = [leaves[i : i + share] for i in range(0, len(leaves), share)]
    names = [f"{root}{link}" for link, _ in zip(FANOUT_LINKS, branches, strict=False)]
    records = fanout_tree(root, names)
    for name, branch in zip(names, branches, strict=True):
        records += fanout_tree(name, branch)
    return records


def database(settings: Settings) -> str:
    root = f"{settings.setpoint}:FAN"
    records = [record("ao", settings.setpoint, FLNK=root)]
    records += fanout_tree(root, settings.followers)
    records += [record("ai", name, INP=f"{settings.setpoint} NPP") for name in settings.readings]
    return "".join(records)


def start(settings: Settings) -> None:
    extras = {}
    if settings.pva:
        os.environ["PVXS_QSRV_ENABLE"] = "YES"
        extras = {
            "extra_dbd_load": (("pvxsIoc.dbd", pvxslibs.path.dbd_path),),
            "extra_dso_load": ("pvxslibs.lib.pvxsIoc",),
        }
    with tempfile.NamedTemporaryFile("w", suffix=".db") as file:
        file.write(database(settings))
        file.flush()
        ioc.start_ioc(file.name, **extras)


if __name__ == "__main__":
    start(parse_settings(__doc__, pva_option=True))
    serve_until_stopped()
