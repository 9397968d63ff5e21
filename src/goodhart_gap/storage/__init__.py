"""Large files on S3: one client that waits, checks what it moves, and says in a sentence why not."""
