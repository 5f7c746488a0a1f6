"""The start-up folder of a queue: files that bluesky-queueserver reads, and that name this computer alone."""

import ast
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from bluesky_queueserver.manager.config_schemas.loading import load_schema_from_yml
from bluesky_queueserver.manager.profile_ops import validate_user_group_permissions

from gnomon.procedures.queueing import start_files

SETTINGS: dict[str, Any] = {
    "machine": "bessy2", "prefix": "TWIN:", "protocol": "pva", "pvs": None, "results": Path("/r/it's"), "store": None,
    "catalogue": None, "scripts": None,
}  # fmt: skip


def made(**changes: Any) -> dict[str, str]:
    return dict(start_files(Path("/q"), SETTINGS | changes, "127.0.0.1:6379", 60615, 60625).texts)


def test_configuration_is_one_that_the_queue_server_takes() -> None:
    configuration = yaml.safe_load(made()["queueserver.yaml"])
    jsonschema.validate(configuration, load_schema_from_yml("config_schema.yml"))
    network = configuration["network"]
    assert network["zmq_control_addr"] == "tcp://127.0.0.1:60615"
    assert network["zmq_info_addr"] == "tcp://127.0.0.1:60625"


def test_rights_are_those_of_the_queue_servers_schema() -> None:
    rights = yaml.safe_load(made()["user_group_permissions.yaml"])
    validate_user_group_permissions(rights)
    assert rights["user_groups"]["primary"]["allowed_functions"] == []


def test_start_up_code_calls_with_the_settings_whatever_they_hold() -> None:
    tree = ast.parse(made()["startup/startup.py"])
    call = next(node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.keywords)
    told = {each.arg: ast.literal_eval(each.value) for each in call.keywords}
    assert told == SETTINGS | {"results": "/r/it's"}


def test_two_rings_can_share_a_redis() -> None:
    names = {
        yaml.safe_load(made(prefix=prefix, machine=machine)["queueserver.yaml"])["network"]["redis_name_prefix"]
        for prefix, machine in (("TWIN:", "bessy2"), ("", "bessy2"), ("TWIN:", "/rings/mls.json"))
    }
    assert names == {"gnomon_bessy2_TWIN", "gnomon_bessy2", "gnomon_mls_TWIN"}
