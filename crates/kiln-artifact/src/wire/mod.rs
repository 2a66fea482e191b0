//! What stands in the sections of format version 2: the form of every type in the file, field by field, apart from its form in
//! memory.
//!
//! A type has a [`codec::form`] that lists its fields with their types in the file, in the file's order; enumerations stand by
//! name. So a change of the compiler's types either leaves the file as it is or does not compile.

pub(crate) mod calls;
pub(crate) mod codec;
pub(crate) mod manifest;
pub(crate) mod program;
