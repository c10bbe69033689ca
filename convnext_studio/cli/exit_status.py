"""The exit statuses of the program, and their description for the help."""

FAILED = 1
CANNOT_START = 2
INTERRUPTED = 130

HELP = """\
exit status:
  0    everything was done
  1    something could not be done; standard error says what, one line each
  2    the arguments are wrong, or the installation lacks something
  130  interrupted with Ctrl+C
  143  ended by the system (SIGTERM)"""
