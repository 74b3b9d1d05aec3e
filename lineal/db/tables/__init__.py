"""The pages of the schema, one for each room; `lineal.db.schema` joins them, and everybody reads them there."""
