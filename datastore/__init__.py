"""Where things are kept and where they came from: artifacts, lineage, registry, data quality."""
