//! Why a file cannot be used.

use std::fmt;

/// Why an artifact could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArtifactError {
    /// It does not begin with the magic bytes.
    NotAnArtifact,
    /// It is of a major version that this reader does not know.
    Version {
        /// The major version that this reader reads.
        supported: u32,
        /// The file's.
        found: u32,
    },
    /// It is shorter or longer than its header says.
    Length {
        /// Bytes that the header asks for.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// A part's checksum does not match.
    Checksum {
        /// The part: `header`, `section table`, `manifest`, `section 4 (blob)`.
        section: String,
    },
    /// A part makes no sense, despite a right checksum.
    Invalid {
        /// The part, as in [`ArtifactError::Checksum`].
        section: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing in it can run on this machine.
    Target {
        /// Each target of the file, with its sizes and what this machine lacks for it.
        has: Vec<String>,
        /// This machine.
        machine: String,
    },
}

impl ArtifactError {
    pub(crate) fn invalid(section: impl Into<String>, reason: impl Into<String>) -> ArtifactError {
        ArtifactError::Invalid { section: section.into(), reason: reason.into() }
    }
}

impl fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArtifactError::NotAnArtifact => f.write_str("not a kiln artifact (wrong first bytes)"),
            ArtifactError::Version { supported, found } => {
                let remedy = if found < supported { "export it again with this kiln" } else { "update kiln" };
                write!(f, "the artifact has format version {found}, this runtime reads version {supported}: {remedy}")
            }
            ArtifactError::Length { expected, found } => {
                write!(f, "the artifact has {found} bytes, its header says {expected}: it was cut off or added to")
            }
            ArtifactError::Checksum { section } => {
                write!(f, "the artifact's checksum of its {section} does not match: the file was altered")
            }
            ArtifactError::Invalid { section, reason } => write!(f, "the artifact's {section} is damaged: {reason}"),
            ArtifactError::Target { has, machine } => {
                write!(f, "the artifact holds nothing for this machine ({machine}): export it for this target; ")?;
                write!(f, "it was compiled for {}", has.join("; "))
            }
        }
    }
}
impl std::error::Error for ArtifactError {}
