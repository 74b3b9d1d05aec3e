"""What touched what: edges between runs and versions, walks over them, and their pictures and reports."""
