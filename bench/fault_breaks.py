"""Builds that are wrong on purpose, for the fault runs to catch.

Lives here: what each of them does wrong. Must not live here: anything that the product imports.
Law: a break is one mistake that a person could make, at the place where they would make it.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any, cast

from governance.service import Service
from governance.steps import Handled
from governance.tickets import commands as cmd
from governance.tickets.ticket import Ticket, TicketId, TicketState


class Break(StrEnum):
    """A build that is wrong on purpose; the harness must say so."""

    NONE = "none"
    LATE_START = "late_start"
    """The action runs first, ``ExecutionStarted`` is committed afterwards."""
    EARLY_ANSWER = "early_answer"
    """A caller is answered when its step has run, before the commit."""
    NORMAL_SYNC = "normal_sync"
    """synchronous=NORMAL: a commit does not wait for the disk."""
    NO_QUORUM = "no_quorum"
    """The worker runs what it is told of, approved or not."""


class LateStart(Service):
    """A broken service: a start is only remembered, and committed with the outcome."""

    _start: cmd.StartExecution | None = None

    async def handle(
        self, command: cmd.Command, *, contents: Mapping[str, bytes] | None = None
    ) -> Handled:
        """Hold back the start; commit it once the action has run."""
        if isinstance(command, cmd.StartExecution):
            self._start = command
            return Handled(ticket=await self.ticket(command.ticket_id), is_changed=True)
        if isinstance(command, cmd.RecordOutcome) and self._start is not None:
            start, self._start = self._start, None
            await super().handle(start)
        return await super().handle(command, contents=contents)


class Unasked(Service):
    """A broken service: every ticket looks approved, and a start needs no commit."""

    async def ticket(self, ticket_id: TicketId) -> Ticket:
        """The ticket as if its people had agreed."""
        return replace(await super().ticket(ticket_id), state=TicketState.APPROVED)

    async def handle(
        self, command: cmd.Command, *, contents: Mapping[str, bytes] | None = None
    ) -> Handled:
        """Say yes."""
        return Handled(ticket=await self.ticket(command.ticket_id), is_changed=True)


def sync_less() -> None:
    """Make every connection of this process one whose commits do not wait for the disk."""

    real = sqlite3.connect

    def connect(*given: Any, **named: Any) -> sqlite3.Connection:  # noqa: ANN401  # as sqlite3
        plain: type[sqlite3.Connection] = named.pop("factory", sqlite3.Connection)

        def execute(self: sqlite3.Connection, sql: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401
            return plain.execute(
                self, sql.replace("synchronous=FULL", "synchronous=NORMAL"), *values
            )

        hasty = type("Hasty", (plain,), {"execute": execute})
        return cast("sqlite3.Connection", real(*given, factory=hasty, **named))

    sqlite3.connect = connect  # type: ignore[assignment]
