"""From result tables to figures, one HTML page and LaTeX."""
