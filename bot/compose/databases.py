"""The database behind a ledger, for ``placet db`` and ``placet check``.

Lives here: migrating, copying, roles, and what a server promises. Must not live here: texts
(``bot.cli``). Law: nothing here opens a ledger for decisions; no message shows a password.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from governance.errors import Code, InvalidInput, Unavailable
from storage.copying import Copied, copied
from storage.engine import database, file_database
from storage.engine import migrate as bring_up
from storage.postgres.roles import Role, Standing, statements

if TYPE_CHECKING:
    from storage.postgres.database import PostgresDatabase

Progress = Callable[[int, int], None]

__all__ = [
    "Copied",
    "Role",
    "Server",
    "Standing",
    "apply_roles",
    "copy",
    "migrate",
    "roles_sql",
    "server",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """What a server said of itself and of us; ``problem`` where it could not be asked."""

    name: str
    standing: Standing | None
    problem: str = ""


def migrate(url: str) -> str:
    """Bring a database to the newest schema; its name.

    Raises:
        InvalidInput: ``invalid_settings``: no such kind of database.
        Unavailable: ``ledger_unavailable``: it cannot be reached, or this role may not.
    """
    name = database(url).name
    try:
        bring_up(url)
    except (OSError, DBAPIError, CommandError) as error:
        raise _not_done(name, "migrated", error) from error
    return name


def copy(source: str, target: str, *, progress: Progress | None = None) -> Copied:
    """Migrate ``target`` and copy the ledger ``source`` into it, whole or not at all.

    Raises:
        InvalidInput: ``invalid_settings``: no such kind of database, a target that is not empty.
        Unavailable: ``ledger_unavailable``: either cannot be used, or the source grew meanwhile.
    """
    of, to = database(source), database(target)
    if of.name == to.name:
        raise InvalidInput(Code.INVALID_SETTINGS, f"{of.name} cannot be copied to itself")
    if not of.is_there:
        raise Unavailable(Code.LEDGER_UNAVAILABLE, f"there is no ledger at {of.name}")
    migrate(target)
    return copied(of, to, progress=progress)


def roles_sql(prefix: str) -> str:
    """The SQL that makes the roles, to be run by the owner of the tables."""
    return "".join(f"{statement};\n" for statement in ("BEGIN", *statements(prefix), "COMMIT"))


def apply_roles(url: str, prefix: str) -> None:
    """Make the roles on the server that ``url`` names, as the role that it names.

    Raises:
        InvalidInput: ``invalid_settings``: no server.
        Unavailable: ``ledger_unavailable``: it cannot be reached, or this role may not.
    """
    db = _on_server(url)
    import psycopg

    from storage.postgres.role_check import apply

    try:
        apply(db, prefix)
    except psycopg.Error as error:
        raise _not_done(db.name, "given roles", error) from error


def server(url: str) -> Server | None:
    """What the server of a ledger promises; None where the ledger is a file.

    Raises:
        InvalidInput: ``invalid_settings``: no such kind of database.
    """
    if file_database(url) is not None:
        return None
    db = _on_server(url)
    import psycopg

    from storage.postgres.role_check import standing

    try:
        return Server(name=db.name, standing=standing(db))
    except psycopg.Error as error:
        return Server(name=db.name, standing=None, problem=type(error).__name__)


def _on_server(url: str) -> "PostgresDatabase":
    db = database(url)  # names the extra where the driver is missing
    if file_database(url) is not None:
        raise InvalidInput(
            Code.INVALID_SETTINGS,
            f"{db.name} is a file, and files have no roles: only PostgreSQL separates processes",
        )
    from storage.postgres.database import PostgresDatabase

    if not isinstance(db, PostgresDatabase):  # there is no third kind
        raise InvalidInput(Code.INVALID_SETTINGS, f"{db.name} has no roles")
    return db


def _not_done(name: str, what: str, error: Exception) -> Unavailable:
    kind = type(getattr(error, "orig", None) or error).__name__
    return Unavailable(Code.LEDGER_UNAVAILABLE, f"{name} cannot be {what} ({kind})")
