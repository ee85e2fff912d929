"""A table for a paper: LaTeX with booktabs."""

from cxrbench.report.tables.table import Cell, Table

ESCAPES = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "×": r"$\times$",
    "\u202f": r"\,",
    "<": r"$<$",
    ">": r"$>$",
}


def to_latex(table: Table) -> str:
    r"""A ``table`` environment; the paper's preamble needs ``\usepackage{booktabs}``."""
    columns = len(table.columns)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escaped(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        rf"\begin{{tabular}}{{l{('l' if table.is_text else 'r') * (columns - 1)}}}",
        r"\toprule",
        _line(map(escaped, table.columns)),
        r"\midrule",
    ]
    for row in table.rows:
        if row.is_summary and not lines[-1].startswith(r"\midrule"):
            lines.append(r"\midrule")
        lines.append(_line([escaped(row.head), *map(_cell, row.cells)]))
    note = [rf"\par\smallskip\footnotesize {escaped(table.note)}"] if table.note else []
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", *note, r"\end{table}"]) + "\n"


def escaped(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(ESCAPES.get(sign, sign) for sign in text)


def _line(parts: "map[str] | list[str]") -> str:
    return " & ".join(parts) + r" \\"


def _cell(cell: Cell) -> str:
    """Best in bold; the detail beside the value."""
    text = rf"\textbf{{{escaped(cell.text)}}}" if cell.is_best else escaped(cell.text)
    return f"{text} {escaped(cell.detail)}".strip()
