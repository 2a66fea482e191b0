//! The runtime: executables, sessions, feeds and fetches; links no compiler.
