"""Kept for the report until it imports from files."""

from cxrbench.files import replaced_folder

__all__ = ["replaced_folder"]
