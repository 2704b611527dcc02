"""Makes thumbnails of uploaded photos."""
