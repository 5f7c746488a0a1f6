"""Addresses of MongoDB servers are read and shown without a password, wherever it comes from."""

from pathlib import Path

import pytest

from gnomon.db.mongo_address import PASSWORD_VARIABLE, is_mongo_address, parse_mongo_address
from gnomon.db.store import StoreError

FULL = "mongodb://gnomon@a.example:27017,b.example/ring?replicaSet=rs0&tls=true&tlsCAFile=ca.pem&passwordFile=mongo.password"


def test_an_address_is_shown_by_user_servers_and_database() -> None:
    address = parse_mongo_address(FULL)
    assert str(address) == "mongodb://gnomon@a.example:27017,b.example/ring"
    assert (address.user, address.database) == ("gnomon", "ring")
    assert parse_mongo_address(address.to_text()) == address


def test_without_a_name_the_database_is_gnomon() -> None:
    assert [parse_mongo_address(text).database for text in ("mongodb://h", "mongodb://h/", "mongodb+srv://h/x")] == [
        "gnomon", "gnomon", "x",
    ]  # fmt: skip


def test_the_library_is_not_told_our_own_option() -> None:
    uri = parse_mongo_address(FULL).uri()
    assert "passwordFile" not in uri
    assert uri.startswith("mongodb://gnomon@a.example:27017,b.example/ring?replicaSet=rs0&tls=true&tlsCAFile=")


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(StoreError, match=rf"mongodb://gnomon@h/ring: .*passwordFile.*{PASSWORD_VARIABLE}") as refused:
        parse_mongo_address("mongodb://gnomon:s3cret@h/ring")
    assert "s3cret" not in str(refused.value)
    known = parse_mongo_address("mongodb://gnomon:s%2Fcret@h/ring", with_password=True)
    assert known.secret({}) == "s/cret"
    assert "cret" not in f"{known} {known!r} {known.to_text()} {known.uri()}"


@pytest.mark.parametrize(
    "text", ["mongodb://", "mongodb://h:1/a/b", "mongodb://user:pa@ss@h/x", "http://h/x", "mongodb://h/x?y=1#z"]
)
def test_a_text_that_is_not_an_address_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(StoreError, match="not an address of a MongoDB server: use mongodb://") as refused:
        parse_mongo_address(text, with_password=True)
    assert "pa@ss" not in str(refused.value)


def test_options_that_would_show_a_secret_are_refused() -> None:
    with pytest.raises(StoreError, match="tlsCertificateKeyFilePassword would show a secret") as refused:
        parse_mongo_address("mongodb://h/x?tlsCertificateKeyFilePassword=s3cret")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("option", ["password", "Password", "proxyPassword"])
def test_a_password_among_the_options_is_refused_and_not_repeated(option: str) -> None:
    with pytest.raises(StoreError, match=f"option {option} would show a secret: .*passwordFile=FILE") as refused:
        parse_mongo_address(f"mongodb://gnomon@h/x?{option}=s3cret")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("name", ["a.b", "a%2Fb", "a%20b", "a%24b", "%0a%1b[31m"])
def test_a_name_that_no_database_can_have_is_refused(name: str) -> None:
    with pytest.raises(StoreError, match="is not the name of a database of MongoDB: use letters") as refused:
        parse_mongo_address(f"mongodb://h/{name}")
    assert str(refused.value).isprintable()


def test_options_that_name_files_are_known_whatever_their_capitals() -> None:
    given = parse_mongo_address("mongodb://gnomon@h/x?passwordfile=a&TLSCAFILE=b")
    assert given.options == (("passwordFile", "a"), ("tlsCAFile", "b"))


def test_a_file_that_is_not_one_of_a_password_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 5000)
    for name in ("/dev/zero", f"{tmp_path}/large", str(tmp_path)):
        with pytest.raises(StoreError, match="the password for mongodb://gnomon@h/x cannot be read: "):
            parse_mongo_address(f"mongodb://gnomon@h/x?passwordFile={name}").secret({})


def test_the_password_is_read_from_its_file_or_from_the_environment(tmp_path: Path) -> None:
    environment = {PASSWORD_VARIABLE: "of the environment"}
    assert parse_mongo_address("mongodb://gnomon@h/x").secret(environment) == "of the environment"
    assert parse_mongo_address("mongodb://h/x").secret(environment) == ""
    address = parse_mongo_address("mongodb://gnomon@h/x?passwordFile=mongo.password").beside(tmp_path)
    with pytest.raises(StoreError, match=rf"{tmp_path}/mongo.password: the password for mongodb://gnomon@h/x cannot"):
        address.secret(environment)
    (tmp_path / "mongo.password").write_text("of the file\n")
    assert address.secret(environment) == "of the file"


def test_files_of_an_address_are_relative_to_the_configuration(tmp_path: Path) -> None:
    options = dict(parse_mongo_address(FULL).beside(tmp_path).options)
    assert options["tlsCAFile"] == f"{tmp_path}/ca.pem"
    assert options["replicaSet"] == "rs0"


def test_files_are_told_from_addresses() -> None:
    assert [is_mongo_address(t) for t in ("mongodb://h/x", "mongodb+srv://h", "mongodb.sqlite", "/a/b")] == [
        True, True, False, False,
    ]  # fmt: skip
