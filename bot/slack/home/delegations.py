"""How a delegation looks in a list.

Lives here: one entry of the home tab and of ``/placet delegate list``. Must not live here: which
there are (``inbox``), lending (``commands.lending``). Law: an entry names both people, the roles,
the end and the reason, and the way to end it.
"""

from bot.slack import names
from bot.slack.home.inbox import Lent
from bot.slack.kit.blocks import (
    Block,
    actions,
    button,
    instant,
    ours,
    person,
    rich,
    run,
    section,
    small,
)
from bot.slack.kit.language import gettext
from bot.slack.kit.text import Inert, words
from governance.delegation import Delegation


def delegate_button() -> Block:
    """Opens the form by which one lends one's voice."""
    return button(
        gettext("Delegate\u2026"),
        action_id=names.DELEGATE,
        value="delegate",
        label=ours(gettext("Let somebody else vote in your name for a while")),
    )


def delegation_entry(one: Delegation | Lent) -> list[Block]:
    """One delegation: between whom, in which roles, until when, why, and the way to end it."""
    if isinstance(one, Lent):
        lent, lead = one.delegation, [run(ours(gettext("You vote in the name of ")), bold=True)]
        lead.append(person(lent.delegator))
        roles = ", ".join(sorted(one.roles)) or gettext("no role that they hold now")
        verb = gettext("Give it back")
        label = gettext("Stop voting in somebody else's name")
    else:
        lent, lead = (
            one,
            [person(one.delegate), run(ours(gettext(" votes in your name")), bold=True)],
        )
        roles = ", ".join(one.roles) or gettext("every role that you hold")
        verb = gettext("Take it back")
        label = gettext("Stop somebody from voting in your name")
    said = [
        *lead,
        run(Inert(gettext(" as {roles}, until ", roles=words(roles, 200)))),
        instant(lent.ends_at),
    ]
    ends = button(
        verb, action_id=names.END_DELEGATION, value=lent.id, label=Inert(f"{label}: {lent.id[:8]}")
    )
    return [rich(section([*said, run(ours("."))])), small(words(lent.reason, 300)), actions(ends)]
