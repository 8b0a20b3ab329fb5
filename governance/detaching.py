"""Whether sealed segments may leave the database.

Lives here: the pure step, over committed ``State``. Must not live here: files, SQL, who asks.
Law: what leaves is exactly what a seal in the log says, oldest first and without a gap; nothing
leaves that a legal hold covers, that has to be kept for longer, or that an open ticket, a grant
whose time is not over or a remembered idempotency key stands on. Fails closed: a doubt refuses all.
"""

from collections.abc import Sequence

from governance import keys as signing_keys
from governance.errors import Code, Refused
from governance.ports import Result, State
from governance.segments import SegmentDetached, SegmentSealed, file_of
from governance.tickets.binding import stamp


def detach(state: State, events: Sequence[SegmentDetached]) -> Result[None]:
    """Record that these segments leave the database, all of them or none.

    Raises:
        Refused: ``wrong_state``: one is not what was sealed, or comes out of turn or before its
            time, or a ticket or key still needs it; ``held``: a legal hold does.
    """
    for event in events:
        void = signing_keys.check_active(state.control, event.key_id, "checkpoint")
        if void is not None:
            return Result(reply=void)
    return Result(reply=look(state, events).reply, events=tuple(events))


def look(state: State, events: Sequence[SegmentDetached]) -> Result[None]:
    """Whether ``detach`` would refuse these, whoever signs; nothing is recorded.

    Raises:
        Refused: as ``detach``.
    """
    upto = state.control.detached_upto
    for event in events:
        if event.first != upto + 1:
            raise Refused(
                Code.WRONG_STATE,
                f"a segment from {event.first} does not follow {upto}, where the detached ones end",
            )
        _check_seal(state, event)
        upto = event.last
    _check_needs(state)
    return Result(reply=None)


def _check_seal(state: State, event: SegmentDetached) -> None:
    seal = state.needs.seals.get(event.seal)
    if seal is None or _told(event) != _sealed(seal):
        raise Refused(
            Code.WRONG_STATE,
            f"events {event.first} to {event.last} are not what event {event.seal} sealed",
        )
    if seal.keep_until > state.at:
        raise Refused(
            Code.WRONG_STATE,
            f"events {event.first} to {event.last} are to be kept until {stamp(seal.keep_until)}",
        )


def _told(event: SegmentDetached) -> tuple[object, ...]:
    digests = (event.file, event.file_digest, event.state_digest)
    whose = (event.tenant, event.origin)
    return (*whose, event.first, event.last, event.head, event.events, *digests)


def _sealed(seal: SegmentSealed) -> tuple[object, ...]:
    digests = (file_of(seal.first, seal.last), seal.file_digest, seal.state_digest)
    return (seal.tenant, seal.origin, seal.first, seal.last, seal.head, seal.events, *digests)


def _check_needs(state: State) -> None:
    needs = state.needs
    if needs.holds:
        named = ", ".join(needs.holds)
        raise Refused(Code.HELD, f"the legal hold {named} covers some of these events")
    if needs.tickets:
        named = ", ".join(needs.tickets)
        raise Refused(
            Code.WRONG_STATE, f"some of these events are of tickets that are not over: {named}"
        )
    if needs.keys:
        named = ", ".join(needs.keys)
        raise Refused(
            Code.WRONG_STATE,
            f"the idempotency keys of some of their tickets are still remembered: {named}",
        )
