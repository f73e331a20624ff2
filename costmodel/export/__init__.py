"""Trained trees as C, for passes that are not written in Python."""

from costmodel.export.c_source import c_name, column_list, header, source
from costmodel.export.formula import EXPORTABLE, Formula, formula

__all__ = ["EXPORTABLE", "Formula", "c_name", "column_list", "formula", "header", "source"]
