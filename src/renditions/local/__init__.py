"""The parts that work on one machine: folders, SQLite, lease owners, worker processes."""
