"""Pages: a training run and a data check as self-contained HTML, readable offline, in light and dark, on a phone."""
