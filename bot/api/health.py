"""Whether the process lives, and whether it may be given work.

Lives here: the two probes. Must not live here: how Slack or a disk is probed (given as a callable).
Law: not ready until the ledger answers and takes writes and the loaded bundle is the active one;
freezes and fail modes are told, because an operator must not have to look for them; however often
anybody asks, nothing is written for it.
"""

from aiohttp import web

from bot.api import read_answers as reads
from bot.api.calls import OpenCall, answer
from governance.control import Control
from governance.errors import Code, PlacetError
from governance.ports import Queue
from governance.tickets.binding import stamp

_RETRY_S = 1


async def healthz(_call: OpenCall) -> web.Response:
    """The event loop answers."""
    return answer(reads.HealthAnswer(status="alive"))


async def readyz(call: OpenCall) -> web.Response:
    """200 when work may come, else 503 with every reason."""
    bundle = call.deps.service.bundle
    reasons: list[str] = []
    control, queue = Control(), Queue()
    try:
        control = await call.deps.reader.control()
        queue = await call.deps.reader.queue(call.deps.service.tenant)
    except PlacetError as error:
        reasons.append(f"ledger: {error.code.value}")
    else:
        if control.snapshot != bundle.snapshot:
            code = Code.SNAPSHOT_CHANGED.value
            reasons.append(f"bundle: the one loaded here is not the active one ({code})")
    writing = call.deps.writing()
    if writing.unwritable_s:
        code = Code.LEDGER_UNAVAILABLE.value
        reasons.append(f"ledger: it cannot be written ({code})")
    reasons += await call.deps.readiness()
    modes = {
        name: "unsafe_open" if gate.unsafe_open else "closed"
        for name, gate in bundle.environments.items()
    }
    body = reads.ReadyAnswer(
        status="not_ready" if reasons else "ready",
        reasons=reasons,
        notes=list(call.deps.notes()),
        snapshot=bundle.snapshot,
        active_snapshot=control.snapshot,
        frozen=_frozen(control),
        fail_modes=modes,
        waiting=queue.waiting,
        oldest_waiting_s=_age_s(call, queue),
        failed_commits=writing.failed_commits,
        unwritable_s=writing.unwritable_s,
        unknown=queue.unknown,
    )
    response = answer(body, status=503 if reasons else 200)
    if reasons:
        response.headers["Retry-After"] = str(_RETRY_S)
    return response


def _age_s(call: OpenCall, queue: Queue) -> int:
    if queue.oldest_at is None:
        return 0
    return max(0, int((call.deps.clock.now() - queue.oldest_at).total_seconds()))


def _frozen(control: Control) -> list[reads.FrozenAnswer]:
    return [
        reads.FrozenAnswer(
            target=item.target,
            by=item.by,
            at=stamp(item.at),
            reason=item.reason,
            unfreeze_asked_by=item.unfreeze_asked_by or "",
        )
        for item in control.frozen.values()
    ]
