"""Real servers for tests: started from their binaries, in a temporary folder, ended with the session."""
