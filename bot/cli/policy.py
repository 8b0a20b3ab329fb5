"""The active bundle.

Lives here: ``placet policy``. Must not live here: what a bundle means. Law: which bundle decides is
a fact of the log, and it changes only when somebody who saw both snapshots says so.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.environment import actor, settings_now
from bot.cli.output import AsJson, answered, emit, facts, note, run, show
from governance.errors import Code, InvalidInput

if TYPE_CHECKING:
    from rich.console import RenderableType

    from bot.settings import Settings
    from governance.policy.model import Bundle

app = typer.Typer(
    name="policy",
    help="The policy bundle that decides.",
    no_args_is_help=True,
    epilog="Example: placet policy activate --policies ./policies",
)

_Policies = Annotated[
    Path | None, typer.Option(help="Folder or file of the bundle; else PLACET_POLICIES.")
]


@app.command("show", epilog="Example: placet policy show --json")
@answered
def show_(*, policies: _Policies = None, as_json: AsJson = False) -> None:
    """Show the active snapshot beside that of the bundle on disk."""
    settings, bundle = _loaded(policies)
    active = run(_active(settings, create=False))
    _tell(bundle, active, as_json=as_json, more={"is_active": active == bundle.snapshot})


@app.command(epilog="Example: placet policy activate --policies ./policies --yes")
@answered
def activate(
    *,
    policies: _Policies = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the bundle on disk the one that decides.

    Services that run with another bundle answer "not ready" from then on: restart them with this
    one. With --json, --yes is needed, because nothing can be asked.
    """
    settings, bundle = _loaded(policies)
    before = run(_active(settings, create=True))
    if before == bundle.snapshot:
        _tell(bundle, before, as_json=as_json, more={"changed": False})
        return
    if not yes:
        if as_json:
            raise InvalidInput(Code.INVALID_FIELD, "with --json also say --yes", pointer="/yes")
        show(_facts(bundle, before))
        typer.confirm(f"Make {bundle.name} the active bundle?", abort=True)
    changed = run(_activate(settings, bundle))
    after = bundle.snapshot
    if as_json:
        emit({"changed": changed, "old": before or None, "new": after})
        return
    show(facts([("old", before or "none"), ("new", after)]))
    note("Restart every placet serve and placet executor with this bundle.")


def _loaded(policies: Path | None) -> "tuple[Settings, Bundle]":
    from bot.compose.core import bundle_of

    settings = settings_now()
    if policies is not None:
        settings = settings.model_copy(update={"policies": policies})
    return settings, bundle_of(settings)


async def _active(settings: "Settings", *, create: bool) -> str:
    from bot.compose import tools

    async with tools.open_tools(settings, create=create) as opened:
        return (await opened.reader.control()).snapshot


async def _activate(settings: "Settings", bundle: "Bundle") -> bool:
    from bot.compose import tools

    async with tools.open_tools(settings, create=True) as opened:
        return await opened.administration.activate(bundle, actor=actor())


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
