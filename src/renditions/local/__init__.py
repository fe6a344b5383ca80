"""The parts on one machine: folders, SQLite, lease owners, worker processes."""
