"""Verifying a ledger on a server: the verifier over its source there.

Lives here: that composition. Must not live here: either part, so that the verifier itself needs no
driver and shares nothing with the writer.
"""

from typing import Unpack

from governance.errors import Code, InvalidInput
from storage.engine import database
from storage.verify.options import Options
from storage.verify.verifier import Report, Verification


def verify_server(url: str, **options: Unpack[Options]) -> Report:
    """Verify a ledger on PostgreSQL; see ``Verification``.

    Raises:
        InvalidInput: ``invalid_settings``: the URL names no server.
    """
    db = database(url)  # names the extra where the driver is missing
    from storage.postgres.database import PostgresDatabase
    from storage.verify.postgres import PostgresSource

    if not isinstance(db, PostgresDatabase):
        raise InvalidInput(Code.INVALID_SETTINGS, f"{db.name} is not on a server")
    walk = Verification(**options)
    source = PostgresSource(db.link)
    try:
        return walk.report(walk.of(source))
    finally:
        source.close()
