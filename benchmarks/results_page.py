"""Write the tables of columns on the page of results from the schemas: ``python benchmarks/results_page.py``."""

import re
from pathlib import Path

from cxrbench.evaluate.tables import RESULT_TABLES

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
MARKED = re.compile(r"<!-- columns of (?P<file>\S+) -->\n.*?<!-- end -->", re.DOTALL)


def with_columns(page: str) -> str:
    """Return the page with the columns of every table that it marks."""
    by_file = {table.file: table for table in RESULT_TABLES.values()}
    missing = set(by_file) - {match["file"] for match in MARKED.finditer(page)}
    if missing:
        raise SystemExit(f"{PAGE} has no place for the columns of {', '.join(sorted(missing))}")

    def columns(match: re.Match[str]) -> str:
        table = by_file[match["file"]]
        return f"<!-- columns of {table.file} -->\n{table.summary}\n\n{table.markdown()}\n<!-- end -->"

    return MARKED.sub(columns, page)


if __name__ == "__main__":
    PAGE.write_text(with_columns(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
