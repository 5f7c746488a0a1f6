"""The link to the machine cannot write: it has no messages for it, and of p4p's client it keeps the monitors alone."""

import ast
from pathlib import Path

import gnomon.ioc.shadow as package
from gnomon.ioc.shadow.client import ca_messages as ca

FOLDER = Path(package.__file__).parent
#: Names of what writes in the client libraries, p4p's and others.
WRITES = {"put", "rpc", "write", "write_no_wait", "caput", "caput_many", "process", "put_complete"}


def parsed() -> dict[str, ast.Module]:
    return {str(path.relative_to(FOLDER)): ast.parse(path.read_text()) for path in FOLDER.rglob("*.py")}


def test_a_single_module_imports_a_client_library() -> None:
    clients = {"p4p", "caproto", "epics", "aioca", "pvapy", "pvaccess"}
    importing = {
        name
        for name, tree in parsed().items()
        for node in ast.walk(tree)
        for module in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        if module.partition(".")[0] in clients
    }
    assert importing == {"client/pva_link.py"}


def test_only_monitors_of_the_client_library_are_used() -> None:
    tree = parsed()["client/pva_link.py"]
    context = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "context"
    }
    assert context == {"monitor", "close"}
    assert not WRITES & {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_every_message_that_can_be_made_only_asks() -> None:
    made = [
        ca.greeting("u", "h"),
        ca.create(1, "a"),
        ca.watch(1, 2, ca.TIME_DOUBLE, 0),
        ca.echo(),
        *ca.searches([(1, "a")]),
    ]
    commands = {message.command for data in made for message in ca.parse(bytearray(data))}
    assert commands == {ca.VERSION, ca.CLIENT_NAME, ca.HOST_NAME, ca.CREATE_CHAN, ca.EVENT_ADD, ca.ECHO, ca.SEARCH}
    write, write_notify = 4, 19
    assert not {write, write_notify} & commands
