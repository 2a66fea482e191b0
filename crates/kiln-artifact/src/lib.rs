//! The artifact file: a compiled program with code, constants and signature.
