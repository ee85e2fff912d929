"""From result tables to figures, one HTML page and LaTeX; never imports torch."""

from cxrbench.report.page import write_report

__all__ = ["write_report"]
