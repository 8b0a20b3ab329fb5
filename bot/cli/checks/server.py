"""Checks of the server that holds the ledger.

Lives here: findings about reach, promises and rights. Must not live here: how they are asked.
Law: a server that would lose what it acknowledged is a problem always; a role that could take the
guards away is one in production.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bot.cli.checks.findings import Finding, Level, problem_or_warning

if TYPE_CHECKING:
    from bot.compose.databases import Server, Standing

_KEPT = ("on", "remote_apply")


def server_findings(
    server: "Server", *, production: bool, detaches: bool = False
) -> Iterator[Finding]:
    """What stands against using this server; ``detaches``: the service is to detach by itself."""
    found = server.standing
    if found is None:
        yield _finding(
            server, Level.PROBLEM, f"it cannot be asked ({server.problem}): nothing is decided"
        )
        return
    yield from _promises(server, found)
    if not found.is_ready:
        yield _finding(
            server,
            Level.NOTE,
            "there is no ledger yet; placet db migrate, or the first placet serve, makes it",
        )
        return
    yield from _rights(server, found, production=production)
    if detaches and not found.may_all:
        text = (
            f"PLACET_DETACH_DAYS is set, and the role {found.user} may detach nothing: leave it "
            "out, and let the owner of the tables run placet audit detach"
        )
        yield _finding(server, Level.PROBLEM, text)


def _promises(server: "Server", found: "Standing") -> Iterator[Finding]:
    if found.fsync != "on":
        yield _finding(
            server,
            Level.PROBLEM,
            "fsync is off: a crash loses what was acknowledged, and placet refuses to start",
        )
    if found.synchronous_commit in _KEPT:
        text = f"synchronous_commit is {found.synchronous_commit}, fsync is {found.fsync}"
        yield _finding(server, Level.NOTE, text)
    else:
        yield _finding(
            server,
            Level.NOTE,
            f"synchronous_commit is {found.synchronous_commit} for others; placet sets it to on "
            "for its own commits",
        )
    if found.is_standby:
        yield _finding(
            server, Level.PROBLEM, "it is a standby, which takes no commits: name the primary"
        )


def _rights(server: "Server", found: "Standing", *, production: bool) -> Iterator[Finding]:
    level = problem_or_warning(is_problem=production)
    if found.may_all:
        text = (
            f"the role {found.user} owns the tables or the server: it can take the log's guards "
            "away, and so can whoever takes over this process; make roles with placet db roles"
        )
        yield _finding(server, level, text)
    elif found.role is not None:
        text = f"the role {found.user} has exactly the rights of {found.role}"
        yield _finding(server, Level.NOTE, text)
    elif found.surplus:
        text = (
            f"the role {found.user} has more than placet serve needs "
            f"({', '.join(found.surplus[:5])}); run placet db roles again"
        )
        yield _finding(server, level, text)
    else:
        text = (
            f"the role {found.user} has the rights of none of serve, executor and reader: "
            "run placet db roles again"
        )
        yield _finding(server, Level.PROBLEM, text)


def _finding(server: "Server", level: Level, text: str) -> Finding:
    return Finding(area="ledger", level=level, text=text, place=server.name)
