"""Servers that behave more like AWS than moto: ``make test-servers``.

These servers take longer to start than moto.
"""
