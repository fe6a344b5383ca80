"""The reconciling core: what differs from what is declared, and how the difference is closed."""
