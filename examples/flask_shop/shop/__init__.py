"""A small shop that prints your picture on a postcard or a mug."""
