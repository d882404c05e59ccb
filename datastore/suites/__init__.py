"""Suites of data-quality checks that come with Stepcode, as JSON; `datastore.quality.load_suite` reads them."""
