"""One module per figure: result tables in, ``Drawing`` out."""
