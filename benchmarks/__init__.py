"""Measures what Renditions costs, in comparison with other libraries.

People would otherwise use those libraries.

``python -m benchmarks.imaging`` measures making renditions, ``python -m benchmarks.auto`` the search for each
picture's quality, and ``python -m benchmarks.plan`` the comparison of a source with its catalog.
``docs/performance.md`` describes the methods and has the results.
"""
