"""The code of each format, in one or more modules.

The tables of ``renditions.model.formats`` name the functions. A function that decodes, draws or encodes may
raise libvips' own errors, and so may the use of a lazy image. The caller translates these errors with
:func:`renditions.imaging.vips.translated`.
"""
