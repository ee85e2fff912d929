"""The Python interface: what ``import cxrbench`` offers, as thin functions over the rooms."""
