"""The linter: what a reader of a bundle should know before it decides anything.

Lives here: the one function that collects all findings. Must not live here: any finding.
Law: it changes nothing and takes no time that grows with the square of the rules; what it left
out for that reason is in the report.
"""

from governance.policy.forms.documented import BundleForm
from governance.policy.lint.findings import LintFinding, LintReport, Severity, Unclear
from governance.policy.lint.labels import missing_labels
from governance.policy.lint.reach import unreached
from governance.policy.lint.redaction import targets_on_cards
from governance.policy.lint.rules import MAX_STEPS, compared
from governance.policy.lint.sections import Reaches, sections
from governance.policy.model import Bundle


def lint(bundle: Bundle, *, reaches: Reaches, most: int = MAX_STEPS) -> LintReport:
    """Every finding about ``bundle``, errors first, then in the order of their places.

    ``most`` bounds the steps that comparing rules may take.
    """
    form = BundleForm.model_validate(bundle.source)
    pairs, unclear = compared(bundle, most=most)
    found: list[LintFinding | Unclear] = [*pairs, *unclear]
    found += unreached(bundle)
    found += missing_labels(bundle)
    found += targets_on_cards(bundle)
    found += sections(bundle, form, reaches)
    findings = [item for item in found if isinstance(item, LintFinding)]
    return LintReport(
        findings=tuple(sorted(findings, key=_order)),
        unclear=tuple(item for item in found if isinstance(item, Unclear)),
    )


def _order(finding: LintFinding) -> tuple[bool, str, str]:
    return (finding.severity is not Severity.ERROR, finding.pointer, finding.code.value)
