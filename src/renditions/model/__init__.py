"""What a pipeline declares and what a catalog holds, as values: no input and no output."""
