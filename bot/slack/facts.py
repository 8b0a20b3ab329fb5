"""Facts of refusals that are told in the person's language.

Lives here: the sentences without values that the core and the Slack side give for a refusal. Must
not live here: what a refusal is told with besides (``said``, ``bot.replies``). Law: only what
stands here is looked up; a fact that names something is in it no more than by accident of its
words, and is told as the core gave it, in English.
"""

from bot.slack.kit.language import N_

FACTS = frozenset(
    {
        N_("a key stands twice in one object"),
        N_("a lone surrogate is not text"),
        N_("an approval is required and no tier says whose"),
        N_("figures are being counted for somebody else"),
        N_("figures are for people with a role"),
        N_("its line did not show the whole of it"),
        N_("name an agent, or all"),
        N_("no such delegation of yours is in force"),
        N_("nobody lends their voice to themselves"),
        N_("one ticket is one action: name the target instead of a category word"),
        N_("only an approver of this ticket may stop it"),
        N_("only people with an approver's role break the glass"),
        N_("only people with an approver's role freeze and unfreeze"),
        N_("policy keeps values of it off messages; open Details and read it there"),
        N_("say where you looked and what you saw there"),
        N_("say why its output may be seen, or may not"),
        N_("say why"),
        N_("the bundle's directory does not list you"),
        N_("the policy bundle has no emergency template"),
        N_("the policy bundle lets nobody delegate"),
        N_("the whole reads differently by now; open Details again"),
        N_("they have lent you nothing that counts here"),
        N_("this account belongs to another organisation"),
        N_("this button carries no ticket"),
        N_("this button turns no page"),
        N_("this file was sent to somebody else; open Details yourself"),
        N_("this form is none of ours"),
        N_("this message shows no ticket of mine"),
        N_("this page carries no tickets"),
        N_("this process's bundle is not the active one; try again"),
        N_("you hold no role that you could lend"),
    }
)
