"""The steps of the engine, one class a file: each reads columns of a batch and adds columns."""
