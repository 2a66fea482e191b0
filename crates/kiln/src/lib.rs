//! kiln: a define-and-run static graph compiler.
