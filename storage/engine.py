"""A database from its URL, and migrations.

Lives here: which engine a URL means, and bringing it to the newest schema. Must not live here:
what an engine needs set (``sqlite.database``, ``postgres.database``), SQL of the ledger.
Law: a database is migrated once however many processes start; no message shows a password.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import ArgumentError, ProgrammingError

from governance.errors import Code, InvalidInput
from storage.connection import Database
from storage.errors import unavailable
from storage.sqlite.database import SqliteDatabase


def database(url: str) -> Database:
    """The database that ``sqlite:///path`` or ``postgresql://...`` names.

    Raises:
        InvalidInput: ``invalid_settings``: another engine, no file, or PostgreSQL's driver is not
            installed.
    """
    parts = _parts(url)
    match parts.get_backend_name():
        case "sqlite" if parts.database not in (None, "", ":memory:"):
            return SqliteDatabase(path=Path(str(parts.database)).absolute())
        case "postgresql" | "postgres" if parts.drivername in _POSTGRESQL:
            return _postgres(parts)
        case _:
            raise InvalidInput(
                Code.INVALID_SETTINGS,
                "the database URL must be sqlite:///path with a file's path, or postgresql://...",
            )


def file_database(url: str) -> SqliteDatabase | None:
    """The same where it is a file; None where it is a server.

    Raises:
        InvalidInput: as ``database``.
    """
    found = database(url)
    return found if isinstance(found, SqliteDatabase) else None


def migrate(url: str) -> None:
    """Bring the database to the newest schema, creating it where there is none.

    Raises:
        InvalidInput: ``invalid_settings``: see ``database``.
        Unavailable: ``ledger_unavailable``: this role may not (its owner must), or
            as ``is_current``.
    """
    db = database(url)
    db.prepare()
    engine = db.migrating_engine()
    try:
        with engine.begin() as connection:
            if not is_current(connection):
                upgrade(connection)
    except ProgrammingError as error:
        raise unavailable(
            f"{db.name} is not migrated, or this role may not use it: its owner runs "
            "placet db migrate, then placet db roles"
        ) from error
    finally:
        engine.dispose()


def upgrade(connection: Connection) -> None:
    """Run every migration that ``connection``'s database lacks."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def is_current(connection: Connection) -> bool:
    """Whether ``connection``'s database lacks no migration.

    Raises:
        Unavailable: ``ledger_unavailable``: a newer version brought it to a schema of its own.
    """
    known = ScriptDirectory.from_config(_config())
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in {one.revision for one in known.walk_revisions()}:
        raise unavailable(
            f"the database has schema {found}, which this version of Placet does not know: run the "
            "newer version that made it, or restore a backup from before"
        )
    return found == known.get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    return config


_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


def _parts(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        # Without its cause: that would show the URL, and so a password.
        raise InvalidInput(Code.INVALID_SETTINGS, "the database URL is malformed") from None


def _postgres(parts: URL) -> Database:
    try:
        from storage.postgres.database import PostgresDatabase
    except ImportError as error:
        raise InvalidInput(
            Code.INVALID_SETTINGS,
            "a PostgreSQL ledger needs its driver: pip install placet[postgres]",
        ) from error
    return PostgresDatabase(parts=parts.set(drivername="postgresql+psycopg"))
