"""The store in MongoDB without a server: its errors, and what it does without pymongo. The contract: tests/system."""

import re
import subprocess
import sys
from typing import Any

import pytest

pymongo_errors = pytest.importorskip("pymongo.errors")
import bson  # noqa: E402

from gnomon.db import mongo_store  # noqa: E402
from gnomon.db.mongo_address import PASSWORD_VARIABLE, MongoAddress, parse_mongo_address  # noqa: E402
from gnomon.db.mongo_errors import is_duplicate, store_error  # noqa: E402
from gnomon.db.mongo_store import MongoStore, open_client  # noqa: E402
from gnomon.db.store import NEW, Revision, StoreError, TooLargeError  # noqa: E402

ADDRESS = MongoAddress("mongodb://", "db.example", "ring", "gnomon", password="s3cret")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (pymongo_errors.ServerSelectionTimeoutError("db.example:27017: refused, Timeout: 5s, Topology"),
         "mongodb://gnomon@db.example/ring: no MongoDB server answers (db.example:27017: refused): is it running"),
        (pymongo_errors.OperationFailure("Authentication failed.", 18),
         "the server refuses user 'gnomon' (Authentication failed.): check the name, and the password in "),
        (pymongo_errors.OperationFailure("not authorized on ring", 13), "needs the role readWrite on the database"),
        (pymongo_errors.NetworkTimeout("timed out"), "was lost, or it took too long (timed out): try again"),
        (pymongo_errors.DocumentTooLarge("17 MB"), "too large for MongoDB, which takes 16 MB (17 MB)"),
        (pymongo_errors.ConfigurationError("Unknown option s3cret"), "cannot be used (Unknown option ***): check host"),
        (pymongo_errors.BulkWriteError({"writeErrors": [{"code": 10334}]}), "the document is too large for MongoDB"),
        (pymongo_errors.OperationFailure("boom, full error: {...}", 1), "the document store failed: boom"),
    ],
)  # fmt: skip
def test_errors_name_database_reason_and_remedy_without_the_password(error: Exception, told: str) -> None:
    text = str(store_error(error, ADDRESS))
    assert told in text
    assert text.startswith("mongodb://gnomon@db.example/ring: ")
    assert "s3cret" not in text
    assert "full error" not in text


@pytest.mark.parametrize(
    ("error", "too_large"),
    [
        (pymongo_errors.DocumentTooLarge("17 MB"), True),
        (pymongo_errors.BulkWriteError({"writeErrors": [{"code": 10334}]}), True),
        (pymongo_errors.OperationFailure("not authorized", 13), False),
    ],
)
def test_a_document_that_is_too_large_is_an_error_of_its_own(error: Exception, too_large: bool) -> None:
    assert isinstance(store_error(error, ADDRESS), TooLargeError) is too_large


@pytest.mark.parametrize("document", [{"a": "x" * 200}, {"a.b": "x" * 200}])
def test_a_document_that_is_too_large_is_refused_before_it_is_sent(
    monkeypatch: pytest.MonkeyPatch, document: dict[str, Any]
) -> None:
    new = Revision("result", "orm", 1, "ab", 5)
    size = len(bson.encode(mongo_store._record(new, document)))
    monkeypatch.setattr(mongo_store, "MAX_RECORD_BYTES", size - 1)
    with pytest.raises(TooLargeError, match=r"too large for MongoDB, which takes 16 MB \(0\.0 MB\)"):
        mongo_store._record(new, document)
    monkeypatch.setattr(mongo_store, "MAX_RECORD_BYTES", size)
    assert mongo_store._record(new, document)["name"] == "orm"


@pytest.mark.parametrize(
    ("error", "duplicate"),
    [
        (pymongo_errors.DuplicateKeyError("E11000", 11000), True),
        (pymongo_errors.OperationFailure("E11000", 11000), True),
        (pymongo_errors.BulkWriteError({"writeErrors": [{"code": 11000}]}), True),
        (pymongo_errors.OperationFailure("UNIQUE constraint failed"), True),  # the substitute gives no code
        (pymongo_errors.OperationFailure("not authorized", 13), False),
    ],
)
def test_a_key_that_is_there_is_known_by_its_code(error: Exception, duplicate: bool) -> None:
    assert is_duplicate(error) is duplicate


async def test_a_server_that_is_not_there_is_named_in_time() -> None:
    address = parse_mongo_address("mongodb://127.0.0.1:9/ring?serverSelectionTimeoutMS=50")
    async with MongoStore(address) as store:
        with pytest.raises(StoreError, match=r"^mongodb://127.0.0.1:9/ring: no MongoDB server answers \(127.*\): is"):
            await store.get("machine", "demo")


async def test_an_address_that_the_library_refuses_is_named() -> None:
    with pytest.raises(StoreError, match=r"mongodb://h:99999/x: the address cannot be used .Port must be"):
        open_client(parse_mongo_address("mongodb://h:99999/x"))


@pytest.mark.parametrize(
    ("options", "told", "named"),
    [
        ("tsl=true", "cannot be used (Unknown option", "tsl"),
        ("serverSelectionTimeoutMS=soon", "must be an integer", "serverSelectionTimeoutMS"),
        ("tls=true&tlsCAFile=/nowhere", "cannot be used ([Errno 2]", "tls, tlsCAFile=/nowhere"),
    ],
)
async def test_an_option_that_would_have_no_effect_is_an_error(options: str, told: str, named: str) -> None:
    with pytest.raises(StoreError, match=re.escape(told)) as refused:
        open_client(parse_mongo_address(f"mongodb://h/x?{options}"))
    assert f"check host, port and options ({named})" in str(refused.value)


async def test_without_a_password_the_error_says_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    with pytest.raises(StoreError, match=f"no password for the user 'anna': set {PASSWORD_VARIABLE}, or name a file"):
        open_client(parse_mongo_address("mongodb://anna@h/x"))


async def test_the_password_goes_to_the_library_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr("pymongo.AsyncMongoClient", lambda uri, **options: seen.update(options, uri=uri))
    open_client(ADDRESS)
    assert seen["password"] == "s3cret"
    assert seen["uri"] == "mongodb://gnomon@db.example/ring"
    assert (seen["w"], seen["serverSelectionTimeoutMS"], seen["appname"]) == ("majority", 5000, "gnomon")


async def test_a_check_can_put_the_server_out_of_reach() -> None:
    def refuse() -> None:
        raise StoreError("out of reach")

    async with MongoStore(ADDRESS, check=refuse) as store:
        with pytest.raises(StoreError, match="out of reach"):
            await store.put("machine", "demo", {}, NEW)


def test_without_pymongo_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['pymongo'] = None\n"
        "from gnomon.db import StorePlace\n"
        "from gnomon.db.store import StoreError\n"
        "try: StorePlace.of('mongodb://h/x').open_blocking().list('machine')\n"
        "except StoreError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "a store in MongoDB needs pymongo, which is in an extra: pip install 'gnomon[mongo]'\n"


def test_a_store_in_a_file_does_not_load_pymongo() -> None:
    code = (
        "import sys; from gnomon.ioc.base.config import Config; "
        "Config(store={'path': ':memory:'}).store_place().open_blocking().list('machine'); "
        "print([n for n in ('pymongo', 'bson', 'gnomon.db.mongo_store') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
