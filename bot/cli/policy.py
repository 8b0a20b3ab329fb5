"""The active bundle.

Lives here: ``placet policy`` show, activate and sign. Must not live here: what a bundle means. Law:
which bundle decides is a fact of the log, and it changes only when somebody who saw both snapshots
says so.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli import (
    policy_cases,
    policy_diff,
    policy_explain,
    policy_import,
    policy_lint,
    policy_simulate,
)
from bot.cli.bundle_place import Policies
from bot.cli.environment import actor, settings_now
from bot.cli.output import AsJson, answered, emit, facts, note, run, show, table
from bot.cli.progress import count
from governance.errors import Code, InvalidInput

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bot.compose.activation import Activated
    from bot.compose.policy import Vouched
    from bot.settings import Settings
    from governance.policy.model import Bundle

app = typer.Typer(
    name="policy",
    help="The policy bundle that decides.",
    no_args_is_help=True,
    epilog="Example: placet policy activate --policies ./policies",
)

policy_explain.register(app)
policy_simulate.register(app)
policy_cases.register(app)
policy_lint.register(app)
policy_diff.register(app)
policy_import.register(app)


@app.command("show", epilog="Example: placet policy show --json")
@answered
def show_(*, policies: Policies = None, as_json: AsJson = False) -> None:
    """Show the active snapshot beside that of the bundle on disk, which may be broken."""
    settings = _settings(policies)
    active = run(_active(settings, create=False))
    try:
        bundle = _loaded(settings).bundle
    except InvalidInput as error:
        _tell_broken(error, active, as_json=as_json)
        return
    _tell(bundle, active, as_json=as_json, more={"is_active": active == bundle.snapshot})


@app.command(epilog="Example: placet policy activate --policies ./policies --yes")
@answered
def activate(
    *,
    policies: Policies = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the bundle on disk the one that decides, and judge every open ticket by it.

    Running services take it over by themselves. Tickets that it denies are denied, those that it
    asks more of are asked about anew; what already runs is left alone. With --json, --yes is
    needed, because nothing can be asked.
    """
    settings = _settings(policies)
    given = _loaded(settings)
    before = run(_active(settings, create=True))
    if before != given.bundle.snapshot and not yes:
        if as_json:
            raise InvalidInput(Code.INVALID_FIELD, "with --json also say --yes", pointer="/yes")
        show(_facts(given.bundle, before))
        typer.confirm(f"Make {given.bundle.name} the active bundle?", abort=True)
    with count("judging open tickets") as progress:
        done = run(_activate(settings, given, progress))
    _tell_done(given.bundle, done, as_json=as_json)


@app.command(epilog="Example: placet policy sign --policies ./policies --key policy-key.pem")
@answered
def sign(
    *,
    key: Annotated[Path, typer.Option(help="Private P-256 key in PEM, mode 0600.")],
    policies: Policies = None,
    as_json: AsJson = False,
) -> None:
    """Sign the bundle on disk; the signature is written beside it (bundle.sig).

    Services with PLACET_REQUIRE_SIGNED_BUNDLE accept no other. Make a key with: openssl ecparam
    -name prime256v1 -genkey -noout; its public half goes where PLACET_BUNDLE_KEYS points.
    """
    from bot import bundle_signature
    from bot.bundles import load_bundle

    settings = _settings(policies)
    if settings.policies is None:
        raise InvalidInput(Code.INVALID_FIELD, "say which bundle: --policies", pointer="/policies")
    bundle = load_bundle(settings.policies)
    made = bundle_signature.sign(bundle, key)
    place = bundle_signature.write_signature(settings.policies, made)
    said = {
        "bundle": bundle.name,
        "snapshot": bundle.snapshot,
        "key_id": made.key_id,
        "file": str(place),
    }
    if as_json:
        emit(said)
        return
    show(facts(said.items()))


def _settings(policies: Path | None) -> "Settings":
    settings = settings_now()
    return settings if policies is None else settings.model_copy(update={"policies": policies})


def _loaded(settings: "Settings") -> "Vouched":
    from bot.compose.policy import from_disk

    return from_disk(settings)


async def _active(settings: "Settings", *, create: bool) -> str:
    from bot.compose import tools

    async with tools.open_tools(settings, create=create) as opened:
        return (await opened.reader.control()).snapshot


async def _activate(
    settings: "Settings", given: "Vouched", progress: Callable[[int], None] | None
) -> "Activated":
    from bot.compose.activation import activate as activate_now

    return await activate_now(settings, given, actor=actor(), progress=progress)


def _tell_done(bundle: "Bundle", done: "Activated", *, as_json: bool) -> None:
    tickets = done.tickets
    counts = {
        "denied": tickets.denied,
        "revised": tickets.revised,
        "cancelled": tickets.cancelled,
        "unchanged": tickets.unchanged,
        "left": done.left,
    }
    if as_json:
        emit(
            {
                "changed": done.is_changed,
                "bundle": bundle.name,
                "old": done.old or None,
                "new": done.new,
                "tickets": counts,
            }
        )
        return
    show(facts([("bundle", bundle.name), ("old", done.old or "none"), ("new", done.new)]))
    if not done.is_changed:
        show("The bundle on disk is the active one already.")
    meanings = {
        "denied": "the bundle refuses them",
        "revised": "people are asked anew; earlier votes are void",
        "cancelled": "the agent has to ask again",
        "unchanged": "the bundle is no stricter",
        "left": "could not be judged now; they do not start before they are",
    }
    rows = [(name, count, meanings[name]) for name, count in counts.items()]
    show(table("\nOpen tickets", ("what", "count", "why"), rows))
    if done.left:
        note("A running placet serve goes on with what is left; so does this command again.")


def _tell_broken(error: InvalidInput, active: str, *, as_json: bool) -> None:
    if as_json:
        problem = {"code": error.code.value, "message": error.message}
        emit({"active": active or None, "on_disk": None, "is_active": False, "problem": problem})
        return
    show(facts([("active", active or "none yet"), ("on disk", f"refused: {error.message}")]))
    show("The active bundle goes on deciding." if active else "Nothing decides yet.")


def _tell(bundle: "Bundle", active: str, *, as_json: bool, more: dict[str, object]) -> None:
    if as_json:
        emit({"bundle": bundle.name, "active": active or None, "on_disk": bundle.snapshot} | more)
        return
    show(_facts(bundle, active))
    is_active = active == bundle.snapshot
    show("The bundle on disk is the active one." if is_active else "It is not the active one.")


def _facts(bundle: "Bundle", active: str) -> "RenderableType":
    return facts(
        [
            ("bundle", bundle.name),
            ("active", active or "none yet"),
            ("on disk", bundle.snapshot),
        ]
    )
