"""Rules of another control plane, as rules of ours that are never looser.

Lives here: what becomes of a rule whose conditions or limits do not all fit, and the order.
Must not live here: single conditions (``match``), single limits (``limits``).
Law: the first match decides, there and here. A rule that matches more than it did could hide a
stricter one behind it, so that it becomes as strict as the strictest that it could hide; an allow
that does not fit asks people, or is left out where even that would be looser.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from governance.canonical import Json
from governance.policy.cel.expression import compile_expression
from governance.policy.compiling.rules import effect_of
from governance.policy.decision import Effect
from governance.policy.forms.documented import pointer, refuse
from governance.policy.imported.limits import Limits, limits_of, set_limits
from governance.policy.imported.match import Fit, Piece, pieces_of
from governance.policy.imported.values import ImportNote, NoteKind, Place, is_unset, note, text

_COMPARABLE = frozenset({"topics", "capabilities", "risk_tags", "requires", "tenants", "actor_ids"})
_STOPS = (Effect.DENY, Effect.THROTTLE)
_MOST_REASON = 2_000
WORDS = {
    Effect.ALLOW: "allow",
    Effect.ALLOW_WITH_CONSTRAINTS: "allow_with_constraints",
    Effect.REQUIRE_APPROVAL: "require_approval",
    Effect.THROTTLE: "throttle",
    Effect.DENY: "deny",
}
_KNOWN_WORDS = frozenset({*WORDS.values(), "permit", "block", "require_human"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A rule as the file has it."""

    id: str
    effect: Effect
    place: Place
    match: Json
    velocity: Json = None
    reason: str = ""
    limits: Limits = field(default_factory=Limits)
    lost: tuple[Piece, ...] = ()
    """What restricts it beside its match and cannot be carried over."""
    covers: Mapping[str, Json] | None = None
    """All that a request has to meet for the original to match; None where that is not known."""

    def pieces(self, effect: Effect) -> list[Piece]:
        """Its conditions as a rule of ``effect`` may use them."""
        found = pieces_of(self.match, (*self.place, "match"), effect)
        found += pieces_of({"velocity": self.velocity}, self.place, effect)
        return [*found, *self.lost]

    def has_limits(self) -> bool:
        """Whether it limits how an action runs."""
        return bool(self.limits.found) or not self.limits.is_whole


def effect_at(value: Json, place: Place) -> Effect:
    """The effect of a decision's word.

    Raises:
        InvalidInput: ``invalid_bundle``: no such word is known.
    """
    word = text(value, place).strip().casefold().replace("-", "_")
    if word not in _KNOWN_WORDS:
        raise refuse(pointer(*place), f"{value!r} is no decision that is known here")
    return effect_of(word)


def foreign(raw: Mapping[str, Json], place: Place, *, own: tuple[Piece, ...] = ()) -> Foreign:
    """One rule of the file, with ``own`` conditions that come from elsewhere.

    Raises:
        InvalidInput: ``invalid_bundle``: a value of the wrong kind, with its place.
    """
    effect = effect_at(raw.get("decision"), (*place, "decision"))
    limits = limits_of(raw.get("constraints"), (*place, "constraints"))
    limits.found = set_limits(limits.found)
    lost = [*own]
    for key, value in raw.items():
        if key in _SAID:
            sentence = _SAID[key]
            if not is_unset(value):
                limits.notes.append(note(NoteKind.NOT_CARRIED, (*place, key), sentence))
        elif key not in _READ and not (key in ("tier", "selector") and is_unset(value)):
            why = f"{key!r} of a rule is not known here, and is taken for a condition"
            lost.append(Piece(key=key, fit=Fit.LOST, place=(*place, key), text=why))
    reason = raw.get("reason")
    made = Foreign(
        id=text(raw.get("id"), (*place, "id")),
        effect=effect,
        place=place,
        match=raw.get("match"),
        velocity=raw.get("velocity"),
        reason="" if is_unset(reason) else text(reason, (*place, "reason"), most=_MOST_REASON),
        limits=limits,
        lost=tuple(lost),
    )
    pieces = made.pieces(effect)  # refuses what has no shape, whether it is used or not
    wanted = _comparable(made, pieces)
    return replace(made, covers=wanted) if len(wanted) == len(pieces) else made


_READ = frozenset({"id", "match", "decision", "reason", "constraints", "velocity"})
_SAID = {
    "remediations": "none are offered here: say in reason what to ask for instead",
    "description": "write it as a comment",
    "name": "write it as a comment",
}


@dataclass(frozen=True, slots=True)
class _Reach:
    """What the original may answer to requests that a rule newly matches."""

    later: Sequence[Foreign]
    default: Effect

    def strictest(self, pieces: Sequence[Piece], rule: Foreign) -> Effect:
        """Up to the first later rule that surely matches whatever ``pieces`` match."""
        kept = _comparable(rule, pieces)
        found = Effect.ALLOW
        for other in self.later:
            if other.has_limits() and other.effect not in _STOPS:
                return Effect.DENY  # its limits would be hidden, and limits have no order
            found = max(found, other.effect, key=_rank)
            if found is Effect.DENY:
                return found
            if _covers(other, kept):
                return found
        return max(found, self.default, key=_rank)


def _rank(effect: Effect) -> int:
    return effect.rank


def _comparable(rule: Foreign, pieces: Sequence[Piece]) -> Mapping[str, Json]:
    match = rule.match if isinstance(rule.match, Mapping) else {}
    names = (item.key for item in pieces if item.fit is Fit.EXACT and item.key in _COMPARABLE)
    return {name: match[name] for name in names}


def _covers(other: Foreign, kept: Mapping[str, Json]) -> bool:
    """Whether the original matches ``other`` for all that meets ``kept``."""
    return other.covers is not None and all(
        name in kept and kept[name] == value for name, value in other.covers.items()
    )


def converted(
    rule: Foreign, later: Sequence[Foreign], default: Effect
) -> tuple[dict[str, Json] | None, list[ImportNote]]:
    """Our rule for ``rule``, None where it is left out; ``later`` stand behind it."""
    reach = _Reach(later, default)
    notes = list(rule.limits.notes)
    first = _first_effect(rule)
    settled = _settle(rule, first, reach)
    if settled is None:
        notes += [
            note(NoteKind.NOT_CARRIED, piece.place, piece.text)
            for piece in rule.pieces(first)
            if piece.fit is Fit.LOST
        ]
        why = f"rule {rule.id} is left out: without its condition it would allow or ask for more"
        return None, [*notes, note(NoteKind.NOT_CARRIED, rule.place, why)]
    effect, pieces, is_guarded = settled
    notes += _notes(pieces, is_guarded=is_guarded)
    if effect is not rule.effect and effect is not Effect.ALLOW_WITH_CONSTRAINTS:
        why = (
            f"rule {rule.id} is {WORDS[effect]} instead of {WORDS[rule.effect]}, because not all "
            "of it could be carried over and nothing may become looser"
        )
        notes.append(note(NoteKind.STRICTER, (*rule.place, "decision"), why))
    made: dict[str, Json] = {"id": rule.id}
    match = _match(rule, pieces, is_guarded=is_guarded)
    if match:
        made["match"] = match
    made["decision"] = WORDS[effect]
    if rule.reason:
        made["reason"] = rule.reason
    if rule.limits.found and effect not in _STOPS:
        made["constraints"] = rule.limits.found
    elif rule.limits.found:
        why = "nothing runs, so that there is nothing to limit"
        notes.append(note(NoteKind.NOT_CARRIED, (*rule.place, "constraints"), why))
    return made, notes


def _first_effect(rule: Foreign) -> Effect:
    """Its effect once its limits are read."""
    if not rule.limits.is_whole and rule.effect is Effect.REQUIRE_APPROVAL:
        return Effect.DENY
    if rule.effect.loosens and not rule.limits.is_whole:
        return Effect.REQUIRE_APPROVAL
    if rule.effect.loosens and rule.limits.found:
        return Effect.ALLOW_WITH_CONSTRAINTS
    if rule.effect is Effect.ALLOW_WITH_CONSTRAINTS:
        return Effect.REQUIRE_APPROVAL
    return rule.effect


def _settle(
    rule: Foreign, effect: Effect, reach: _Reach
) -> tuple[Effect, list[Piece], bool] | None:
    """The mildest effect that is not looser, its conditions, and whether labels are guarded."""
    is_optional = effect is Effect.ALLOW  # left out, whatever comes next is at least as strict
    while True:
        pieces = rule.pieces(effect)
        needed, is_guarded = _needed(rule, effect, pieces, reach)
        if needed is Effect.DENY and is_optional:
            return None
        if needed is effect:
            return effect, pieces, is_guarded
        effect = needed


def _needed(
    rule: Foreign, effect: Effect, pieces: Sequence[Piece], reach: _Reach
) -> tuple[Effect, bool]:
    fits = {piece.fit for piece in pieces}
    if effect is Effect.DENY or fits <= {Fit.EXACT}:
        return effect, False
    bound = reach.strictest(pieces, rule)
    if not fits & {Fit.LOST, Fit.WIDER}:
        return effect, bound.rank > effect.rank
    least = Effect.REQUIRE_APPROVAL if effect.loosens else effect
    return max(least, bound, key=_rank), False


def _notes(pieces: Sequence[Piece], *, is_guarded: bool) -> list[ImportNote]:
    found = []
    for piece in pieces:
        if piece.fit is Fit.LOST:
            why = f"{piece.text}; the rule holds without it"
            found.append(note(NoteKind.NOT_CARRIED, piece.place, why))
        elif piece.fit is Fit.WIDER or (piece.fit is Fit.OPEN and not is_guarded):
            found.append(note(NoteKind.STRICTER, piece.place, piece.text))
    return found


def _match(rule: Foreign, pieces: Sequence[Piece], *, is_guarded: bool) -> dict[str, Json]:
    made: dict[str, Json] = {}
    whens = []
    for piece in pieces:
        if piece.fit is not Fit.LOST:
            made.update(piece.match)
            whens += [piece.when] if piece.when else []
            whens += [piece.guard] if piece.guard and is_guarded else []
    if whens:
        when = " && ".join(whens)
        made["when"] = when
        try:
            compile_expression(when)
        except ValueError as error:
            message = f"too many conditions for one expression here: {error}"
            raise refuse(pointer(*rule.place, "match"), message) from error
    return made
