"""The port's operations over a database and a blob store in this process, a file for each noun."""
