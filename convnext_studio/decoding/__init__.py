"""From any file to pixels, in a process of its own that a decoder's bug cannot leave. No torch."""
