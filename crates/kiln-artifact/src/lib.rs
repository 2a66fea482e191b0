//! The artifact file: a compiled graph with programs and code for several targets and sizes, and its weights once.
//!
//! `graph-spec/artifact.md` specifies it, byte by byte. [`Artifact`] reads: its manifest at once, programs when they are wanted,
//! blobs never, they are used in place. [`Contents`] writes.
//!
//! ```
//! use kiln_artifact::{Artifact, ArtifactError, FileBytes};
//! let file = FileBytes::copy_of(b"\x7FELF and so on").expect("a little memory");
//! assert_eq!(Artifact::read(file).err(), Some(ArtifactError::NotAnArtifact));
//! ```
//!
//! Checksums guard against damage, not against malice: code of an artifact is run as it is, so load only files that you trust as
//! you trust a program.

mod blobs;
mod error;
mod read;
mod sections;
#[cfg(test)]
mod tests;
mod wire;
mod write;

pub use blobs::FileBytes;
pub use error::ArtifactError;
pub use read::{Artifact, Entry};
pub use write::{Contents, Source};

/// The major format version that this crate reads and writes. Files of another one are refused.
pub const FORMAT_VERSION: u32 = 2;

/// The minor format version that this crate writes, and whose additions it knows. Files of a newer one are read without their
/// additions.
pub const MINOR_VERSION: u32 = 0;
