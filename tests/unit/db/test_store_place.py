"""The place of a store is a file or an address, and gives the store that is there."""

from pathlib import Path

import pytest

from gnomon.db import DocumentFile, SqliteStore, StorePlace
from gnomon.db.blocking_store import BlockingStore
from gnomon.db.mongo_store import MongoStore
from gnomon.db.store import NEW, StoreError
from gnomon.ioc.base.config import Config, ConfigError, as_served, changed, kept_at, read_config
from gnomon.ioc.base.shared_pv_documents import fetch_pv_documents, share_pv_documents

ADDRESS = "mongodb://gnomon@h/ring?tls=true"


async def test_a_file_gives_the_embedded_store(tmp_path: Path) -> None:
    place = StorePlace.of(str(tmp_path / "documents.sqlite"))
    assert (place.folder, place.may_exist, str(place)) == (tmp_path, False, f"{tmp_path}/documents.sqlite")
    with place.open_blocking() as documents:
        assert isinstance(documents, DocumentFile)
        documents.put("machine", "demo", {}, NEW)
    async with place.open() as store:
        assert isinstance(store, SqliteStore)
        assert await store.kinds() == ("machine",)
    assert StorePlace.of(place.to_text()).may_exist


async def test_an_address_gives_the_store_in_mongodb() -> None:
    place = StorePlace.of(ADDRESS)
    assert (place.folder, place.may_exist, str(place)) == (None, True, "mongodb://gnomon@h/ring")
    assert StorePlace.of(place.to_text()) == place
    async with place.open() as store:
        assert isinstance(store, MongoStore)
    with place.open_blocking() as documents:
        assert isinstance(documents, BlockingStore)


def test_the_configuration_names_a_file_or_a_server(tmp_path: Path) -> None:
    file = tmp_path / "ioc_config.yaml"
    file.write_text("store: {mongodb: 'mongodb://gnomon@h/ring?passwordFile=secret'}\n")
    config = read_config(file)
    assert config.store_place().to_text() == f"mongodb://gnomon@h/ring?passwordFile={tmp_path}/secret"
    assert str(changed(config, {"store": kept_at("/a/b.sqlite")}).store_place()) == "/a/b.sqlite"
    assert str(changed(Config(), {"store": kept_at(ADDRESS)}).store_place()) == "mongodb://gnomon@h/ring"


def test_machine_and_store_are_those_of_a_server_and_the_store_ours_where_it_tells_none() -> None:
    ours = Config(machine="mls", store={"path": "/our/own.sqlite"})
    for store, place in (("/a/b.sqlite", "/a/b.sqlite"), (ADDRESS, "mongodb://gnomon@h/ring"), ("", "/our/own.sqlite")):
        served = as_served(ours, "bessy2", store)
        assert (served.machine, str(served.store_place())) == ("bessy2", place)


def test_a_configuration_with_a_password_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "ioc_config.yaml"
    file.write_text("role: twin\nstore:\n  mongodb: mongodb://gnomon:s3cret@h/ring\n")
    with pytest.raises(ConfigError, match=r"ioc_config.yaml:3: store.mongodb: .*has a password in it") as refused:
        read_config(file)
    assert "s3cret" not in str(refused.value)
    with pytest.raises(ConfigError) as again:
        changed(Config(), {"store": {"mongodb": "mongodb://gnomon:s3cret@h/ring"}})
    assert "s3cret" not in str(again.value)


def test_pv_documents_of_a_store_that_is_not_shared_stay_beside_it(tmp_path: Path) -> None:
    place = StorePlace(tmp_path / "documents.sqlite")
    share_pv_documents(place, "demo", tmp_path)
    fetch_pv_documents(place, "demo", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_address_is_refused_before_anything_is_opened() -> None:
    with pytest.raises(StoreError, match="not an address"):
        StorePlace.of("mongodb://h/x/y")
