"""One module per section of a chapter: results in, ``Section`` out, or None where there is nothing to show."""
