"""The values that a pipeline declares and a catalog holds. Nothing here does I/O."""
