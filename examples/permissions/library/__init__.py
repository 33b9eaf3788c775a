"""A library whose documents only some people may change."""
