"""The verifier's own reading of freezes: who stopped whom, and which two lifted it.

Lives here: freezes in force as records tell of them. Must not live here: what a freeze keeps from
happening (``tickets``). Law: shares no code with the core; a freeze is lifted by the one who
asked for it, as the log says, and by somebody else, and only where there is one.
"""

from collections.abc import Iterator, Mapping

from storage.verify.chain import Json, Problem

KINDS = frozenset({"AgentFrozen", "UnfreezeAsked", "AgentUnfrozen"})


def take_freeze(
    frozen: dict[str, dict[str, Json]], seq: int, kind: str, at: str, told: Mapping[str, Json]
) -> Iterator[Problem]:
    """What is wrong with an event of ``KINDS``, and make ``frozen`` what it is afterwards."""
    target, person = told["target"], told["person"]
    if kind == "AgentFrozen":
        frozen[target] = {
            "target": target,
            "by": person,
            "at": at,
            "reason": told["reason"],
            "unfreeze_asked_by": None,
        }
        return
    if target not in frozen:
        yield _wrong(seq, f"{target} was not frozen")
        return
    if kind == "UnfreezeAsked":
        frozen[target]["unfreeze_asked_by"] = person
        return
    if person == told["asked_by"]:
        yield _wrong(seq, "one person lifted a freeze")
    if frozen.pop(target)["unfreeze_asked_by"] != told["asked_by"]:
        yield _wrong(seq, f"{told['asked_by']} had not asked to lift the freeze")


def _wrong(seq: int, detail: str) -> Problem:
    return Problem(seq=seq, what="frozen", detail=detail)
