"""The database: tables, the schema's version, what an act writes, and the questions asked of it."""
