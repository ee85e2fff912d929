"""Printed tables as CSV and LaTeX."""

import csv
import io

import pytest

from cxrbench.report.table import Cell, Row, Table, escaped, to_csv, to_latex

TABLE = Table(
    name="example",
    caption="AUC & more, 95 % intervals",
    columns=("Finding", "ft_1", "large"),
    rows=(
        Row("Mass", (Cell("0.800", "± 0.010", is_best=True), Cell("0.700", "± 0.020"))),
        Row("mean", (Cell("0.750"), Cell("–", reason="not measured")), is_summary=True),
    ),
    note="n < 5",
)


def test_csv_reads_back():
    rows = list(csv.reader(io.StringIO(to_csv(TABLE))))
    assert rows == [["Finding", "ft_1", "large"], ["Mass", "0.800 ± 0.010", "0.700 ± 0.020"], ["mean", "0.750", "–"]]


def test_latex():
    assert to_latex(TABLE).splitlines() == [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        r"\caption{AUC \& more, 95 \% intervals}",
        r"\label{tab:example}",
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"Finding & ft\_1 & large \\",
        r"\midrule",
        r"Mass & \textbf{0.800} $\pm$ 0.010 & 0.700 $\pm$ 0.020 \\",
        r"\midrule",
        r"mean & 0.750 & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip\footnotesize n $<$ 5",
        r"\end{table}",
    ]


@pytest.mark.parametrize(("text", "expected"), [("a_b", r"a\_b"), ("50 %", r"50 \%"), ("\\", r"\textbackslash{}")])
def test_what_latex_would_misread_is_escaped(text, expected):
    assert escaped(text) == expected
