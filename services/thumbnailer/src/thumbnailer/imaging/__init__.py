"""Images in, thumbnails out, as pure functions of bytes. Nothing here reads a file, a clock or a network."""
