"""Large files on S3: a client that waits, checks what it moves, and says in a sentence why not."""
