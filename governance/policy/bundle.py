"""The door by which a mapping becomes a policy bundle.

Lives here: validation against the form, in words, and ``load``.
Must not live here: YAML (``bot.bundles``), or the answer to a request (``evaluate``).
Law: the same mapping always has the same snapshot, whatever the order of its keys; every key has
an effect, is refused, or is listed in ``Bundle.not_enforced``.
"""

from collections.abc import Mapping

from pydantic import ValidationError

from governance.canonical import Json, canonical_bytes, parse
from governance.errors import InvalidInput
from governance.policy.compiling.compile import compile_bundle
from governance.policy.forms.documented import BundleForm, pointer, refuse
from governance.policy.forms.refusals import first_of
from governance.policy.forms.seeds import check_seeds
from governance.policy.model import (
    AuditPolicy,
    Bundle,
    Gate,
    Members,
    Note,
    OutputPolicy,
    Strategy,
    snapshot_of,
)

__all__ = [
    "MAX_BYTES",
    "AuditPolicy",
    "Bundle",
    "Gate",
    "Members",
    "Note",
    "OutputPolicy",
    "Strategy",
    "load",
    "snapshot_of",
]

MAX_BYTES = 8_388_608


def load(mapping: Mapping[str, object]) -> Bundle:
    """Validate ``mapping`` and compile it.

    Raises:
        InvalidInput: ``invalid_bundle`` with a JSON pointer to the key and a plain sentence.
    """
    source = _plain(mapping)
    form = _form(source)
    notes = check_seeds(form)
    return compile_bundle(form, source, notes)


def _plain(mapping: Mapping[str, object]) -> Mapping[str, Json]:
    """A private copy in canonical order, so that nothing depends on the order of keys."""
    try:
        raw = canonical_bytes(mapping)  # type: ignore[arg-type]  # anything else raises TypeError
        value = parse(raw, max_bytes=MAX_BYTES)
    except (TypeError, AttributeError) as error:
        raise refuse("", f"the bundle is not plain data: {error}") from error
    except RecursionError as error:
        raise refuse("", "the bundle is nested too deeply") from error
    except InvalidInput as error:
        raise refuse(error.pointer, error.message) from error
    if not isinstance(value, Mapping):
        raise refuse("", "a bundle is a mapping of sections")
    return value


def _form(source: Mapping[str, Json]) -> BundleForm:
    try:
        return BundleForm.model_validate(source)
    except ValidationError as error:
        place, sentence = first_of(error, BundleForm, source)
        raise refuse(pointer(*place), sentence) from error
