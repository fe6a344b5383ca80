"""What Renditions costs, measured beside the libraries that people would otherwise use.

``python -m benchmarks.imaging`` measures pixels, ``python -m benchmarks.auto`` the qualities that are found
for each picture, ``python -m benchmarks.plan`` the comparison of a source with its catalog.
``docs/performance.md`` says how, and holds the results.
"""
