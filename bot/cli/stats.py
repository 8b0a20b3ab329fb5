"""How approving went.

Lives here: ``placet stats``: a table of figures, their pictures, and suggested bundles to simulate.
Must not live here: counting (``governance.statistics``), sentences (``bot.figures.words``).
Law: it reads the ledger and changes nothing; it writes only into the folders that were named, and
over nothing that is there.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.bundle_place import Policies, place_of
from bot.cli.environment import settings_now
from bot.cli.output import AsJson, answered, emit, facts, note, run, show, table
from governance.errors import Code, InvalidInput

if TYPE_CHECKING:
    from bot.settings import Settings
    from governance.advice import Advice
    from governance.policy.model import Bundle
    from governance.statistics import Asked, Figures

_DAYS = 7


def register(app: typer.Typer) -> None:
    """Put the command into the tree."""
    app.command(
        epilog="Example: placet stats --days 30 --pictures ./pictures\n\n"
        "Example: placet stats --suggest ./candidates",
    )(stats)


@answered
def stats(
    *,
    days: Annotated[int, typer.Option(help="So many days back from now.", min=1, max=366)] = _DAYS,
    pictures: Annotated[
        Path | None, typer.Option(help="Draw them into this folder (needs the extra plots).")
    ] = None,
    suggest: Annotated[
        Path | None, typer.Option(help="Write the suggested bundles into this folder.")
    ] = None,
    policies: Policies = None,
    as_json: AsJson = False,
) -> None:
    """Count how approving went: decisions, waits, outcomes, runs, the queue, people and rules.

    Each suggestion is a whole bundle with one change; placet policy simulate tells what it would
    have answered. Nothing is changed here.
    """
    from bot.bundles import load_bundle
    from governance.advice import advise

    bundle = load_bundle(place_of(policies))
    figures = run(_gathered(settings_now(), days))
    advice = advise(figures, bundle)
    written = _write_candidates(suggest, advice) if suggest is not None else ()
    drawn = _draw(pictures, figures, bundle) if pictures is not None else ()
    if as_json:
        emit(_plain(figures, bundle, advice, (*drawn, *written)))
    else:
        _tell(figures, bundle, advice, written)
        for path in drawn:
            show(f"drawn: {path}")


async def _gathered(settings: "Settings", days: int) -> "Figures":
    from datetime import timedelta

    from bot.compose import tools
    from bot.figures.gathered import gather
    from governance.principal import TenantId

    until = datetime.now(UTC)
    async with tools.open_tools(settings) as opened:
        tenant = TenantId(settings.tenant)
        since = until - timedelta(days=days)
        return await gather(opened.log, tenant, since=since, until=until)


def _tell(
    figures: "Figures", bundle: "Bundle", advice: tuple["Advice", ...], written: tuple[Path, ...]
) -> None:
    from bot.figures import words

    show(facts(words.rows(figures, bundle)))
    if figures.loads:
        rows = ((one.person, one.approvals, one.rejections) for one in figures.loads)
        show(table("\nVotes", ("person", "for", "against"), rows))
    for place, one in enumerate(advice):
        show(f"\n{words.suggestion(one)}")
        if written:
            show(f"  placet policy simulate --policies {written[place]}")
    if advice and not written:
        note("placet stats --suggest FOLDER writes each suggestion as a bundle to simulate.")


def _write_candidates(folder: Path, advice: tuple["Advice", ...]) -> tuple[Path, ...]:
    """One file for each suggestion; JSON is YAML."""
    named = (
        (f"{place}-{one.kind.value}.yaml", json.dumps(one.candidate, indent=2, ensure_ascii=False))
        for place, one in enumerate(advice, 1)
    )
    return _written(folder, ((name, text.encode("utf-8")) for name, text in named))


def _draw(folder: Path, figures: "Figures", bundle: "Bundle") -> tuple[Path, ...]:
    from bot.figures import plots
    from bot.figures.words import NO_PICTURES

    if not plots.can_draw():
        note(NO_PICTURES)
        return ()
    drawn = plots.draw(figures, bundle)
    told = "".join(f"{one.name}\t{one.alt}\n" for one in drawn).encode("utf-8")
    return _written(folder, [*((one.name, one.png) for one in drawn), ("alt.txt", told)])


def _written(folder: Path, files: Iterable[tuple[str, bytes]]) -> tuple[Path, ...]:
    """Write new files.

    Raises:
        InvalidInput: ``invalid_field``: one is there already, or the folder cannot be written to.
    """
    made: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files:
            with (folder / name).open("xb") as file:
                file.write(content)
            made.append(folder / name)
    except OSError as error:
        message = f"{folder}: {error.strerror}; name an empty folder"
        raise InvalidInput(Code.INVALID_FIELD, message) from error
    return tuple(made)


def _plain(
    figures: "Figures", bundle: "Bundle", advice: tuple["Advice", ...], files: tuple[Path, ...]
) -> Mapping[str, object]:
    from governance.advice import always_met, never_fired, never_met

    return {
        "since": figures.since,
        "until": figures.until,
        "decisions": dict(figures.effects),
        "asked": _asked(figures.all),
        "rules": {rule: _asked(one) for rule, one in figures.rules.items()},
        "tiers": {tier: _asked(one) for tier, one in figures.tiers.items()},
        "runs": dict(figures.runs),
        "votes": [
            {"person": one.person, "for": one.approvals, "against": one.rejections}
            for one in figures.loads
        ],
        "queue": [
            {"at": one.at, "waiting": one.waiting, "oldest_s": one.oldest_s}
            for one in figures.queue
        ],
        "never_fired": never_fired(figures, bundle),
        "always_met": always_met(figures),
        "never_met": never_met(figures),
        "suggestions": [
            {
                "kind": one.kind.value,
                "subject": one.subject,
                "evidence": one.evidence,
                "change": one.change,
            }
            for one in advice
        ],
        "files": files,
    }


def _asked(asked: "Asked") -> Mapping[str, object]:
    return {
        "asked": asked.asked,
        "waiting": asked.waiting,
        **{end.value.replace(" ", "_"): count for end, count in asked.ended.items()},
        "median_s": asked.wait_s(50),
        "p90_s": asked.wait_s(90),
    }
