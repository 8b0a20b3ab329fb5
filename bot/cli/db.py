"""The database that holds the ledger.

Lives here: ``placet db``. Must not live here: SQL. Law: nothing is made where a name was typed
wrong; a copy is verified before it is called one; no password is printed.
"""

import re
from typing import Annotated

import typer

from bot.cli import backup
from bot.cli.environment import settings_now
from bot.cli.output import AsJson, answered, emit, facts, show, visible
from bot.cli.progress import bar
from bot.replies import Exit
from governance.errors import Code, InvalidInput

app = typer.Typer(
    name="db",
    help="The database that holds the ledger: backups, migrations, roles, moving to PostgreSQL.",
    no_args_is_help=True,
    epilog="Example: placet db migrate",
)

app.command(epilog="Example: placet db backup /mnt/backup/placet-2026-03-01.db")(backup.backup)
app.command(
    epilog="Example: PLACET_DATABASE=sqlite:///var/placet.db placet db restore "
    "/mnt/backup/placet-2026-03-01.db"
)(backup.restore)

_PREFIX = re.compile(r"[a-z_][a-z0-9_]{0,39}", re.ASCII)
Url = Annotated[
    str, typer.Option("--database", help="Another database than PLACET_DATABASE, as its URL.")
]


@app.command(epilog="Example: placet db migrate --database postgresql://owner@db/placet")
@answered
def migrate(*, database: Url = "", as_json: AsJson = False) -> None:
    """Bring the database to this version's schema; nothing happens where it is there already.

    placet serve does the same when it starts, if its role may. Where roles are separated, run
    this as the owner of the tables before you start a new version.
    """
    from bot.compose import databases

    name = databases.migrate(database or settings_now().database)
    if as_json:
        emit({"database": name, "migrated": True})
        return
    show(f"{visible(name)} has this version's schema.")


@app.command(epilog="Example: placet db copy sqlite:///var/placet.db postgresql://owner@db/placet")
@answered
def copy(
    source: Annotated[str, typer.Argument(help="URL of the ledger to copy.")],
    target: Annotated[str, typer.Argument(help="URL of an empty database.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Copy a ledger into an empty database, compare the two, and verify the copy.

    Stop every process that writes to the source before: a source that grows meanwhile is refused.
    The target is migrated first; then all is copied in one transaction, so that it is whole or
    empty. Exit code 1: the target was not empty, or the copy does not verify; do not use it.
    """
    from bot.compose import databases, verification

    with bar("copying") as progress:
        done = databases.copy(source, target, progress=progress)
    with bar("verifying") as progress:
        states = settings_now().segments  # where the source's records are detached
        verdict = verification.verify_ledger(target, progress=progress, sealed={"states": states})
    rows = sum(done.rows.values())
    is_same = (verdict.events, verdict.head) == (done.seq, done.head)
    told = {"events": done.seq, "rows": rows, "head": done.head, "verified": verdict.is_verified}
    if as_json:
        problems = [str(problem) for problem in verdict.problems[:20]]
        emit(told | {"problem_count": verdict.problem_count, "problems": problems})
    else:
        show(facts(told.items()))
        for problem in verdict.problems[:20]:
            typer.echo(visible(str(problem)))
        if verdict.is_verified and is_same:
            show("The copy is whole and verifies. Set PLACET_DATABASE to it for every process.")
    if not (verdict.is_verified and is_same):
        raise typer.Exit(Exit.PROBLEM)


@app.command(epilog="Example: placet db roles --apply --database postgresql://owner@db/placet")
@answered
def roles(
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Run the SQL instead of printing it.")
    ] = False,
    database: Url = "",
    prefix: Annotated[str, typer.Option(help="What the names of the roles begin with.")] = "placet",
    as_json: AsJson = False,
) -> None:
    """Print the SQL that makes the roles PREFIX_serve, PREFIX_executor and PREFIX_reader.

    Each has the least that its process needs: the executor's cannot insert a vote, a decision or
    a bundle. The owner of the tables runs it, here (--apply) or with psql; again after each
    migration. The roles have no password: give each the way to log in that your server asks for.
    """
    from bot.compose import databases

    if not _PREFIX.fullmatch(prefix):
        raise InvalidInput(
            Code.INVALID_FIELD, "a prefix is lower-case letters, digits and underscores"
        )
    names = [f"{prefix}_{role}" for role in databases.Role]
    if apply:
        databases.apply_roles(database or settings_now().database, prefix)
        if as_json:
            emit({"roles": names, "applied": True})
        else:
            show(f"Roles as they should be: {', '.join(names)}.")
        return
    sql = databases.roles_sql(prefix)
    if as_json:
        emit({"roles": names, "applied": False, "sql": sql})
    else:
        typer.echo(sql, nl=False)
