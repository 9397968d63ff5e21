"""The verbs of the command line tool, a file each; heavy imports stay inside the functions."""
