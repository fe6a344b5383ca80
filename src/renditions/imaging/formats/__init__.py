"""The code of each format, one file for each.

The tables of ``renditions.model.formats`` name the functions.
"""
