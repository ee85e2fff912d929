"""One module per table of the report: result tables in, ``Table`` out."""
