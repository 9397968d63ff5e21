"""Running the workflow on machines: checks before it, a watch during it, rented machines for it.

Used by the hooks of the Snakefile and by the command line tool; nothing else imports it, and it
imports neither torch nor transformers.
"""
