"""How each driver runs a transaction, and what its errors mean. None of them knows a table."""
