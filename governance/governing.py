"""What people do to the governing state: freeze, unfreeze, lend their voice and take it back.

Lives here: that part of the one door, and what a person may read; ``service`` has the rest and is
the only one to build it. Must not live here: who may (``freezing``, ``delegation``), tickets, what
operators do (``administration``). Law: whoever acts was looked up in the directory just now.
"""

from contextlib import suppress
from functools import partial

from governance import control_steps
from governance.delegation import Delegation, Wish, in_force
from governance.errors import Code, Refused
from governance.policy.active import ActiveBundle
from governance.ports import Clock, Directory, Ids, Keys, Ledger, Reader
from governance.principal import Person, PersonId, TenantId
from governance.readership import Readership
from governance.sentences import Sentence
from governance.voices import Lending


class Governing:
    """The governing part of the core behind one ledger."""

    _ledger: Ledger
    _reader: Reader
    _clock: Clock
    _directory: Directory
    _ids: Ids
    _active: ActiveBundle
    tenant: TenantId

    async def person(self, person_id: PersonId) -> Person:
        """A person as the directory knows them now.

        Raises:
            Refused, Unavailable: as ``Directory.person``.
        """
        return await self._directory.person(person_id)

    async def freeze(self, target: str, person_id: PersonId, reason: str = "") -> bool:
        """Stop an agent or ``all`` at once; False: it was stopped already.

        Raises:
            Refused: an identity code, or ``wrong_role``.
        """
        person = await self._directory.person(person_id)
        step = partial(
            control_steps.freeze, tenant=self.tenant, target=target, person=person, reason=reason
        )
        return (await self._ledger.commit(Keys(), step)).reply

    async def unfreeze(self, target: str, person_id: PersonId) -> bool:
        """Ask to lift a freeze, or agree as the second person; True: it is lifted.

        Raises:
            Refused: an identity code, ``wrong_role``, or ``not_found``.
        """
        person = await self._directory.person(person_id)
        step = partial(control_steps.unfreeze, tenant=self.tenant, target=target, person=person)
        return (await self._ledger.commit(Keys(), step)).reply

    async def delegate(self, wish: Wish) -> Delegation:
        """Lend a person's voice to another one.

        Raises:
            InvalidInput: ``invalid_field``: the reason, or the end.
            Refused: an identity code of either person, ``wrong_role``, ``delegation_not_allowed``.
            Unavailable: ``identity_unavailable``, ``snapshot_changed``, ``ledger_*``.
        """
        bundle = self._active.current
        delegator = await self._directory.person(wish.delegator)
        try:
            delegate = await self._directory.person(wish.delegate)
        except Refused as refusal:
            message = Sentence("they cannot vote here themselves: {why}", why=refusal.message)
            raise Refused(Code.DELEGATION_NOT_ALLOWED, message) from refusal
        step = partial(
            control_steps.grant,
            wish=wish,
            delegation_id=f"d-{self._ids.nonce()}",
            delegator=delegator,
            delegate=delegate,
            policy=bundle.delegation,
            snapshot=bundle.snapshot,
        )
        return (await self._ledger.commit(Keys(), step)).reply

    async def end_delegation(self, delegation_id: str, person_id: PersonId) -> Delegation:
        """Take a lent voice back, or give back one that was lent.

        Raises:
            Refused: an identity code, or ``not_found``.
        """
        person = await self._directory.person(person_id)
        step = partial(control_steps.end_delegation, delegation_id=delegation_id, person=person.id)
        return (await self._ledger.commit(Keys(), step)).reply

    async def delegations(self, person_id: PersonId) -> tuple[Delegation, ...]:
        """What is in force now from or to a person, the first to end first."""
        known = (await self._reader.control()).delegations
        alive = in_force(known, self._clock.now())
        return tuple(one for one in alive if person_id in (one.delegator, one.delegate))

    async def readership(self, person: Person) -> Readership:
        """What a person may read now.

        Raises:
            Unavailable: ``identity_unavailable``: whoever lent them a voice cannot be looked up.
        """
        return Readership(
            person=person,
            is_delegate=not person.roles and await self._has_a_voice(person.id),
            reminders=self._active.current.reminders,
        )

    async def _has_a_voice(self, person_id: PersonId) -> bool:
        """Whether somebody lent them one that could count: with the lender's roles it is gone."""
        if not self._active.current.delegation.max_days:
            return False
        for lent in await self.delegations(person_id):
            if lent.delegate == person_id:
                with suppress(Refused):
                    delegator = await self._directory.person(lent.delegator)
                    if any(lent.lends(role) for role in delegator.roles):
                        return True
        return False

    async def _lending(self) -> Lending:
        bundle = self._active.current
        return Lending(
            delegations=(await self._reader.control()).delegations,
            policy=bundle.delegation,
            snapshot=bundle.snapshot,
            at=self._clock.now(),
        )
