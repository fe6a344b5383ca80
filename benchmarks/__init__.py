"""Measure the cost of Renditions.

``python -m benchmarks.imaging`` compares it with other ways to make renditions. ``python -m benchmarks.auto``
measures the search for each picture's quality, and ``python -m benchmarks.plan`` the comparison of a source
with its catalog. ``docs/performance.md`` has the results of these three.
"""
