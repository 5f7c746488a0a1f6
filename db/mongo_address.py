"""Address of a database of a MongoDB server, apart from the password, which no text that people see has in it."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

from gnomon.db.store import StoreError
from gnomon.lattice.files import full_path, read_bounded
from gnomon.lattice.text import printable

__all__ = ["PASSWORD_VARIABLE", "MongoAddress", "is_mongo_address", "parse_mongo_address"]

#: Environment variable that has the password, unless the address names a file of it.
PASSWORD_VARIABLE = "GNOMON_MONGODB_PASSWORD"
DEFAULT_DATABASE = "gnomon"
SCHEMES = ("mongodb://", "mongodb+srv://")
#: Options that name files; the first one is gnomon's own.
FILE_OPTIONS = ("passwordFile", "tlsCAFile", "tlsCertificateKeyFile", "tlsCRLFile")
#: Options that would put a secret into the configuration.
SECRETS = ("tlscertificatekeyfilepassword", "authmechanismproperties", "password", "proxypassword")
#: Characters that MongoDB does not take in the name of a database, and the largest file of a password [bytes].
NOT_IN_NAMES, MAX_PASSWORD_BYTES = frozenset('/\\. "$*<>:|?'), 4096

_ADDRESS = re.compile(r"(mongodb(?:\+srv)?://)(?:([^@/?#]*)@)?([^@/?#\s]+)(?:/([^/?#\s]*))?(?:\?([^#\s]*))?")


@dataclass(frozen=True, slots=True)
class MongoAddress:
    """Servers, database, user and options; `password` is only that of the text it was read from, else empty."""

    scheme: str
    hosts: str
    database: str = DEFAULT_DATABASE
    user: str = ""
    options: tuple[tuple[str, str], ...] = ()
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        """The address as messages and lists show it: without password and options."""
        return f"{self._servers()}/{self.database}"

    def to_text(self) -> str:
        """The whole address without the password, as a configuration has it."""
        return str(self) + (f"?{urlencode(self.options, safe='/:,')}" if self.options else "")

    def uri(self) -> str:
        """The address that the client library is given: without the password and without gnomon's own option."""
        options = [pair for pair in self.options if pair[0] != FILE_OPTIONS[0]]
        return f"{self._servers()}/{quote(self.database)}" + (f"?{urlencode(options)}" if options else "")

    def secret(self, environ: Mapping[str, str] = os.environ) -> str:
        """The password of the user: of the address itself, of its file, or of the environment; empty if there is none.

        Raises StoreError for a file that cannot be read.
        """
        if not self.user or self.password:
            return self.password
        file = dict(self.options).get(FILE_OPTIONS[0])
        if file is None:
            return environ.get(PASSWORD_VARIABLE, "")
        try:
            return read_bounded(Path(file).expanduser(), MAX_PASSWORD_BYTES).strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise StoreError(f"{file}: the password for {self} cannot be read: {error}") from error

    def beside(self, folder: Path) -> "MongoAddress":
        """The same address, with names of files that are relative to a folder."""

        def full(name: str, value: str) -> str:
            return str(full_path(Path(value), folder)) if name in FILE_OPTIONS else value

        return replace(self, options=tuple((name, full(name, value)) for name, value in self.options))

    def in_database(self, database: str) -> "MongoAddress":
        """Another database of the same server."""
        return replace(self, database=database)

    def _servers(self) -> str:
        return f"{self.scheme}{quote(self.user, safe='') + '@' if self.user else ''}{self.hosts}"


def _usual(option: str) -> str:
    """Return the name of an option that names a file as we write it: MongoDB knows no capitals in them."""
    return {name.lower(): name for name in FILE_OPTIONS}.get(option.lower(), option)


def is_mongo_address(text: str) -> bool:
    """Tell whether a text is meant as the address of a MongoDB server, not as a file."""
    return text.startswith(SCHEMES)


def parse_mongo_address(text: str, *, with_password: bool = False) -> MongoAddress:
    """Read an address: mongodb://[USER@]HOST[:PORT]/DATABASE[?OPTIONS].

    Raises StoreError, which never repeats a password; one in the address is refused unless `with_password`.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise StoreError(
            "not an address of a MongoDB server: use mongodb://[USER@]HOST[:PORT]/DATABASE, with options after ?"
        )
    scheme, account, hosts, database, query = found.groups()
    user, colon, password = (account or "").partition(":")
    options = tuple((_usual(name), value) for name, value in parse_qsl(query or "", keep_blank_values=True))
    address = MongoAddress(scheme, hosts, unquote(database or DEFAULT_DATABASE), unquote(user), options)
    if colon and not with_password:
        raise StoreError(
            f"{address}: the address has a password in it: leave it out, and give it in a file (?passwordFile=FILE) or "
            f"in the environment variable {PASSWORD_VARIABLE}"
        )
    if secret := next((name for name, _ in options if name.lower() in SECRETS), None):
        remedy = f"use a key without a passphrase, in a file, and {FILE_OPTIONS[0]}=FILE for a password"
        raise StoreError(f"{address}: option {secret} would show a secret: {remedy}")
    if not all(each.isprintable() and each not in NOT_IN_NAMES for each in address.database):
        raise StoreError(
            f"{printable(address.database)!r} is not the name of a database of MongoDB: use letters, digits, - and _"
        )
    return replace(address, password=unquote(password))
