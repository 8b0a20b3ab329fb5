"""What the HTTP door is given, and its limits.

Lives here: the dependencies of the API as one value. Must not live here: how they are made (the
composition does that). Law: the door reaches the core through ``Service`` and ``Reader`` only.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from governance.note_keys import NoteKey
from governance.ports import Clock, Reader
from governance.service import Service
from governance.transparency import Transparency


class WebhookSecrets(Protocol):
    """Signing secrets of inbound webhooks, one per agent credential."""

    def lookup(self, credential_id: str) -> bytes | None:
        """The raw secret of a credential; None where it has none."""
        ...


async def nothing_else() -> Sequence[str]:
    """No reason outside the core not to be ready."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How the writing of the log goes in this process."""

    failed_commits: int = 0
    """Since it began."""
    unwritable_s: int = 0
    """For how long it could not be written; 0: it can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one request, and of how many one credential sends.

    A body of the largest size still fits the bounds under which content is read back. Past
    ``max_waiting`` long polls at once, a further one is answered without waiting. A page for a
    reader of some tickets alone looks through those of ``looked_through`` events, see ``pages``.
    One credential sends ``requests_per_s``, see ``pace``; 0: as many as it likes.
    """

    max_body_bytes: int = 327_680
    body_timeout_s: float = 10.0
    max_wait_s: float = 60.0
    max_waiting: int = 1_000
    max_page: int = 200
    looked_through: int = 2_000
    requests_per_s: int = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiDeps:
    """Everything that the API works with.

    ``readiness`` names reasons from outside the core (Slack, the disk) why this process is not
    ready; ``notes`` say what is unusual and no reason. ``routes`` are mounted beside ours, with our
    security headers and without our credentials. Without ``webhook_secrets`` no signed webhook is
    accepted.
    """

    service: Service
    reader: Reader
    clock: Clock
    readiness: Callable[[], Awaitable[Sequence[str]]] = nothing_else
    notes: Callable[[], Sequence[str]] = tuple
    writing: Callable[[], Writing] = Writing
    """What is known of it already: whoever asks must not cost a transaction."""
    webhook_secrets: WebhookSecrets | None = None
    transparency: Transparency | None = None
    """Proofs of the log; without it those routes say that they are not ready."""
    origin: str = ""
    """The log's name in its checkpoints."""
    witnesses: Sequence[NoteKey] = ()
    """Whose cosignatures are kept."""
    routes: Sequence[web.AbstractRouteDef] = ()
    limits: Limits = field(default_factory=Limits)
