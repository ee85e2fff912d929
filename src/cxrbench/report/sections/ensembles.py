"""Several models as one."""

from cxrbench.report.blocks import Section, Shown
from cxrbench.report.results import Results
from cxrbench.report.tables.ensembles import ensemble_table


def ensemble_section(results: Results) -> Section | None:
    """Ensembles of approaches and of seeds."""
    table = ensemble_table(results) if results.ranked else None
    return Section("Ensembles", (Shown(table),)) if table else None
