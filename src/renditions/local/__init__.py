"""The parts for one machine: folders, SQLite, lease owners, worker processes."""
