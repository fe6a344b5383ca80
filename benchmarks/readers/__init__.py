"""Programs that read one file, as their library's users do, and write a PNG."""
