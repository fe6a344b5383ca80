"""Measure the cost of Renditions, compared with libraries for the same work.

``python -m benchmarks.imaging`` measures making renditions, ``python -m benchmarks.auto`` the search for each
picture's quality, and ``python -m benchmarks.plan`` the comparison of a source with its catalog.
``docs/performance.md`` describes the methods and has the results.
"""
