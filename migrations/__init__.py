"""The database's migrations, run by ``registry init`` and ``registry db upgrade``."""
