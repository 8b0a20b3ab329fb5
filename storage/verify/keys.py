"""The verifier's own reading of the life of keys: who may sign what at one place of the log.

Lives here: registrations, rotations and revocations, re-derived. Must not live here: signatures
themselves (``claims``). Law: shares no code with the product; a key counts from the record
that registers it to the record that ends it, whatever time anybody claims.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from storage.verify.chain import Problem
from storage.verify.claims import Claim, Doubt
from storage.verify.form import Json, canonical
from storage.verify.values import Key, key_of

_BY_DIGEST = re.compile(r".*-([0-9a-f]{16})")
"""Names that keys get from their own public half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """What ended a key: the record, and how that is told."""

    seq: int
    at: str
    reason: str
    successor: str
    told: str


class Ring:
    """The keys so far; ``outside`` are public keys that were kept elsewhere."""

    def __init__(self, outside: Mapping[str, Key]) -> None:
        self.keys: dict[str, Key] = {}
        """Keys that the log has registered."""
        self.ended: dict[str, End] = {}
        self.doubts: list[Doubt] = []
        """Signatures of rotations that somebody has yet to verify."""
        self.since: dict[str, int] = {}
        self._outside = outside

    def void(self, name: str, purpose: str, at: int | None = None) -> str:
        """Why ``name`` signs nothing for ``purpose`` at this place; empty: it may.

        ``at``: an earlier place, a record before which a walk that began with a state did not look.
        """
        key = self.keys.get(name)
        if key is None or (at is not None and self.since[name] > at):
            return f"no key {name} is registered before it"
        if key.purpose != purpose:
            return f"key {name} is for {key.purpose}, not for {purpose}"
        end = self.ended.get(name)
        if end is not None and at is not None and end.seq > at:
            return ""
        return f"key {name} {end.told} and signs nothing after that" if end else ""

    def active(self, purpose: str) -> str:
        """The newest key that may sign for ``purpose`` here; empty: there is none."""
        names = [n for n, k in self.keys.items() if k.purpose == purpose and n not in self.ended]
        return names[-1] if names else ""

    def take(self, seq: int, kind: str, at: str, told: Mapping[str, Json]) -> Iterator[Problem]:
        """What is wrong with an event of a key, and add what it says."""
        match kind:
            case "KeyRegistered":
                active = self.active(told["key"]["purpose"])
                if active and active != told["key"]["id"]:
                    yield _wrong(
                        seq,
                        f"{told['key']['id']} is registered for {told['key']['purpose']} while "
                        f"{active}, of event {self.since[active]}, is active: two active keys",
                    )
                yield from self._add(seq, at, told["key"])
            case "KeyRotated":
                yield from self._rotate(seq, at, told)
            case "KeyRevoked":
                yield from self._end(
                    seq,
                    told["key_id"],
                    End(
                        seq=seq,
                        at=at,
                        reason=told["reason"],
                        successor="",
                        told=f"was revoked by event {seq} ({told['reason']})",
                    ),
                )
            case _:
                raise ValueError(kind)

    def _rotate(self, seq: int, at: str, told: Mapping[str, Json]) -> Iterator[Problem]:
        old, new, purpose = told["old_key_id"], told["key"]["id"], told["key"]["purpose"]
        message = b"placet/v1/key-rotation\x00" + canonical(
            {
                "tenant": told["tenant"],
                "purpose": purpose,
                "old": old,
                "new": new,
                "pem": told["key"]["pem"],
            }
        )
        void = self.void(old, purpose)
        if void:
            yield _wrong(seq, f"it rotates to {new}, but {void}")
        else:
            pems = ((old, self.keys[old].pem, "old"), (new, told["key"]["pem"], "new"))
            for name, pem, which in pems:
                claim = Claim(pem, told[f"signed_by_{which}"], message)
                detail = f"{name} did not sign the rotation from {old} to {new}"
                self.doubts.append(Doubt(claim, _wrong(seq, detail)))
        told_so = f"was rotated out by event {seq} (for {new})"
        end = End(seq=seq, at=at, reason="rotated", successor=new, told=told_so)
        yield from self._end(seq, old, end)
        yield from self._add(seq, at, told["key"])

    def _end(self, seq: int, name: str, end: End) -> Iterator[Problem]:
        if name not in self.keys:
            yield _wrong(seq, f"it ends {name}, which was never registered")
        elif name in self.ended:
            yield _wrong(seq, f"it ends {name}, which {self.ended[name].told}")
        self.ended.setdefault(name, end)

    def _add(self, seq: int, at: str, told: Mapping[str, Json]) -> Iterator[Problem]:
        name = told["id"]
        key = key_of(told["purpose"], told["pem"], told["valid_from"])
        if name in self.keys:
            yield _wrong(seq, f"{name} is registered again; event {self.since[name]} did it first")
            return
        if key.public is None:
            yield _wrong(seq, f"{name} is no P-256 public key")
        digest = _BY_DIGEST.fullmatch(name)
        if digest and sha256(key.pem.encode()).hexdigest()[:16] != digest[1]:
            yield _wrong(seq, f"{name} has another public key than the one it is named after")
        if key.valid_from != at:
            yield _wrong(
                seq, f"{name} claims to be valid from {key.valid_from}, not from its event"
            )
        outside = self._outside.get(name)
        if outside is not None and outside.pem.strip() != key.pem.strip():
            yield _wrong(seq, f"{name} is not the key that you were given")
        self.keys[name] = key
        self.since[name] = seq


def _wrong(seq: int, detail: str) -> Problem:
    return Problem(seq=seq, what="key", detail=detail)
