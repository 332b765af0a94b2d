"""Everything that speaks to a database: connections, SQL, schema and its migrations."""
