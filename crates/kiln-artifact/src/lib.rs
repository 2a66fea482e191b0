//! The artifact file: compiled programs with code, constants and signature.
//!
//! # Layout, version 1 (all numbers little-endian)
//!
//! | offset | size | what |
//! |---|---|---|
//! | 0 | 8 | magic `89 4B 49 4C 4E 0D 0A 1A` (`\x89KILN\r\n\x1a`: shows damage by text-mode transfer) |
//! | 8 | 4 | format version |
//! | 12 | 4 | CRC-32 (IEEE) of everything from offset 16 on |
//! | 16 | 8 | length of the whole file |
//! | 24 | 8 | length of the manifest |
//! | 32 | ... | the manifest: programs and their code in bincode 2 standard encoding |
//! | ... | ... | the blobs, each at the next multiple of 64, in the order in which the manifest's programs name them |
//!
//! A reader checks, in this order: magic, version, length, checksum, target, structure. The checksum guards against damage, not
//! against malice: loading an artifact runs its machine code, so load only files that you trust as you trust a program.

use kiln_program::{Blob, Code, CompiledProgram, CpuTarget, NativeCode, Program, Signature, Target};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The format version that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"\x89KILN\r\n\x1a";
const HEADER: usize = 32;
const ALIGN: usize = 64;

/// A compiled graph: one program for each set of sizes it was specialised for.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// Who wrote it, for people: `kiln 0.1.0`.
    pub producer: String,
    /// What goes in and out, with named dimensions and initial values.
    pub signature: Signature,
    /// Programs with their code, at least one.
    pub programs: Vec<CompiledProgram>,
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArtifactError {
    /// It does not begin with the magic bytes.
    NotAnArtifact,
    /// It is of a format that this reader does not know.
    Version {
        /// The newest known version.
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
    /// Its checksum does not match.
    Checksum,
    /// The contents make no sense, despite a right checksum.
    Invalid(String),
    /// The code is for another machine.
    Target {
        /// What the code needs.
        needs: Target,
        /// What this machine lacks, or its architecture.
        lacks: String,
    },
}

impl fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ArtifactError::NotAnArtifact => f.write_str("not a kiln artifact (wrong first bytes)"),
            ArtifactError::Version { supported, found } => write!(
                f,
                "the artifact has format version {found}, this runtime reads up to {supported}: export it again or update kiln"
            ),
            ArtifactError::Length { expected, found } => {
                write!(f, "the artifact has {found} bytes, its header says {expected}: it was cut off or added to")
            }
            ArtifactError::Checksum => f.write_str("the artifact's checksum does not match: the file was altered"),
            ArtifactError::Invalid(why) => write!(f, "the artifact is damaged: {why}"),
            ArtifactError::Target { needs, lacks } => write!(
                f,
                "the artifact was compiled for {needs}, this machine lacks {lacks}: export it for this target"
            ),
        }
    }
}
impl std::error::Error for ArtifactError {}

/// What the file holds besides blobs: programs and code objects with their byte strings taken out.
#[derive(Serialize, Deserialize)]
struct Manifest {
    producer: String,
    signature: Signature,
    programs: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    program: Program,
    target: CpuTarget,
    entry: u64,
    kernels: Vec<u64>,
    constants_len: u64,
    code_len: u64,
}

fn align(n: usize) -> Option<usize> {
    n.checked_next_multiple_of(ALIGN)
}

/// The bytes of an artifact file. The same artifact always gives the same bytes.
///
/// # Errors
/// When a part cannot be encoded (never for programs that kiln compiled).
pub fn write(artifact: &Artifact) -> Result<Vec<u8>, ArtifactError> {
    let mut blobs: Vec<&[u8]> = Vec::new();
    let mut programs = Vec::new();
    for compiled in &artifact.programs {
        let Code::Native(code) = &compiled.code else {
            return Err(ArtifactError::Invalid(format!("code for {} cannot be written", compiled.code.target())));
        };
        programs.push(Entry {
            program: compiled.program.clone(),
            target: code.target.clone(),
            entry: code.entry,
            kernels: code.kernels.clone(),
            constants_len: compiled.constants.len() as u64,
            code_len: code.bytes.len() as u64,
        });
        blobs.extend([&compiled.constants[..], &code.bytes[..]]);
    }
    let (producer, signature) = (artifact.producer.clone(), artifact.signature.clone());
    let manifest = Manifest { producer, signature, programs };
    let manifest = bincode::serde::encode_to_vec(&manifest, bincode::config::standard())
        .map_err(|e| ArtifactError::Invalid(e.to_string()))?;
    let mut out = vec![0u8; HEADER];
    out.extend_from_slice(&manifest);
    for blob in blobs {
        out.resize(out.len().next_multiple_of(ALIGN), 0);
        out.extend_from_slice(blob);
    }
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    let length = out.len() as u64;
    out[16..24].copy_from_slice(&length.to_le_bytes());
    out[24..32].copy_from_slice(&(manifest.len() as u64).to_le_bytes());
    let crc = crc32fast::hash(&out[16..]);
    out[12..16].copy_from_slice(&crc.to_le_bytes());
    Ok(out)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// Reads an artifact file and checks everything that data can show; the target is the caller's to check
/// ([`check_target`]).
///
/// # Errors
/// What is wrong with the file; never panics, whatever the bytes.
pub fn read(bytes: &[u8]) -> Result<Artifact, ArtifactError> {
    if bytes.len() < MAGIC.len() || bytes[..8] != MAGIC {
        return Err(ArtifactError::NotAnArtifact);
    }
    let found = bytes.len() as u64;
    if bytes.len() < HEADER {
        return Err(ArtifactError::Length { expected: HEADER as u64, found });
    }
    let version = u32_at(bytes, 8);
    if version != FORMAT_VERSION {
        return Err(ArtifactError::Version { supported: FORMAT_VERSION, found: version });
    }
    let expected = u64_at(bytes, 16);
    if expected != found {
        return Err(ArtifactError::Length { expected, found });
    }
    if crc32fast::hash(&bytes[16..]) != u32_at(bytes, 12) {
        return Err(ArtifactError::Checksum);
    }
    let manifest_len = usize::try_from(u64_at(bytes, 24)).ok().filter(|&n| n <= bytes.len() - HEADER);
    let Some(manifest_len) = manifest_len else {
        return Err(ArtifactError::Invalid("the manifest is longer than the file".into()));
    };
    let mut at = HEADER + manifest_len;
    let manifest = decode(&bytes[HEADER..at])?;
    let mut programs = Vec::with_capacity(manifest.programs.len());
    for entry in manifest.programs {
        let Entry { program, target, entry, kernels, constants_len, code_len } = entry;
        let constants = Blob::from(take(bytes, &mut at, constants_len)?);
        let bytes = Blob::from(take(bytes, &mut at, code_len)?);
        let code = Code::Native(NativeCode { target, bytes, entry, kernels });
        let compiled = CompiledProgram { program, constants, code };
        compiled.check().map_err(|e| ArtifactError::Invalid(e.0))?;
        programs.push(compiled);
    }
    if programs.is_empty() {
        return Err(ArtifactError::Invalid("it holds no program".into()));
    }
    Ok(Artifact { producer: manifest.producer, signature: manifest.signature, programs })
}

/// Memory that decoding a manifest may take at most; manifests hold no weights but those of initial values.
const DECODE_LIMIT: usize = 1 << 36;

fn decode(bytes: &[u8]) -> Result<Manifest, ArtifactError> {
    let config = bincode::config::standard().with_limit::<DECODE_LIMIT>();
    let (manifest, used) = bincode::serde::decode_from_slice::<Manifest, _>(bytes, config)
        .map_err(|e| ArtifactError::Invalid(e.to_string()))?;
    if used != bytes.len() {
        return Err(ArtifactError::Invalid("bytes are left over behind the manifest".into()));
    }
    Ok(manifest)
}

fn take<'b>(bytes: &'b [u8], at: &mut usize, len: u64) -> Result<&'b [u8], ArtifactError> {
    let range = align(*at).and_then(|start| Some(start..start.checked_add(usize::try_from(len).ok()?)?));
    let blob = range.and_then(|r| {
        *at = r.end;
        bytes.get(r)
    });
    blob.ok_or_else(|| ArtifactError::Invalid("a blob lies beyond the end of the file".into()))
}

/// Checks that this machine can run code for `needs`.
///
/// # Errors
/// [`ArtifactError::Target`] naming what is missing.
pub fn check_target(needs: &Target) -> Result<(), ArtifactError> {
    match needs.lacks() {
        Some(lacks) => Err(ArtifactError::Target { needs: needs.clone(), lacks }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln_ir::{DType, Initializer, Shape, Tensor};
    use kiln_program::{BoundPort, BoundSignature, BoundVariable, Buffer, BufferId, Port, Slot, Step, Variable};

    fn sample() -> Artifact {
        let port = |name: &str| Port { name: name.into(), dtype: DType::F32, shape: Shape::from([2, 3]) };
        let bound = |name: &str| BoundPort { name: name.into(), dtype: DType::F32, shape: vec![2, 3] };
        let weights = Tensor::from_vec([2], vec![1.5f32, f32::NAN]).expect("two elements");
        let (name, dtype, shape) = ("w".to_owned(), DType::F32, vec![2]);
        let variable = Variable { name, dtype, shape: shape.clone(), init: Initializer::Value(weights), updated: true };
        let buffer = |slot, bytes| Buffer { name: "b".into(), dtype, bytes, slot, offset: 0, live: (0, 1) };
        let program = Program {
            name: "sample".into(),
            signature: BoundSignature {
                inputs: vec![bound("x")],
                outputs: vec![bound("y")],
                variables: vec![BoundVariable { name: "w".into(), dtype, shape, updated: true }],
                dims: [("batch".into(), 2)].into(),
            },
            buffers: vec![buffer(Slot::Input(0), 24), buffer(Slot::Output(0), 24)],
            steps: vec![Step::Copy { src: BufferId(0), dst: BufferId(1) }],
            kernels: vec![],
            calls: vec![],
            constant_bytes: 3,
            arena_bytes: 0,
            lower_bound_bytes: 0,
        };
        let target = CpuTarget { arch: "x86_64".into(), features: vec!["avx2".into(), "fma".into()] };
        let code = NativeCode { target, bytes: Blob::from(&[0xC3; 65][..]), entry: 64, kernels: vec![] };
        let compiled = CompiledProgram { program, constants: Blob::from(&[1, 2, 3][..]), code: Code::Native(code) };
        let signature = Signature { inputs: vec![port("x")], outputs: vec![port("y")], variables: vec![variable] };
        Artifact { producer: "test".into(), signature, programs: vec![compiled] }
    }

    #[test]
    fn reads_what_it_wrote() {
        let bytes = write(&sample()).expect("written");
        assert_eq!(read(&bytes).expect("read"), sample());
        assert_eq!(bytes, write(&sample()).expect("written again"));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = write(&sample()).expect("written");
        for n in 0..bytes.len() {
            let error = read(&bytes[..n]).expect_err("truncated");
            assert!(matches!(error, ArtifactError::NotAnArtifact | ArtifactError::Length { .. }), "{n}: {error}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(matches!(read(&longer), Err(ArtifactError::Length { .. })));
    }

    #[test]
    fn every_flipped_bit_is_an_error() {
        let bytes = write(&sample()).expect("written");
        for i in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[i / 8] ^= 1 << (i % 8);
            assert!(read(&altered).is_err(), "bit {i}");
        }
    }

    /// Past the checksum the structure is checked too: damage with a mended checksum never panics.
    #[test]
    fn damage_with_a_right_checksum_does_not_panic() {
        let bytes = write(&sample()).expect("written");
        for i in 16..bytes.len() {
            for value in [0, 1, 0x7F, 0xFB, 0xFF] {
                let mut altered = bytes.clone();
                altered[i] = value;
                let crc = crc32fast::hash(&altered[16..]);
                altered[12..16].copy_from_slice(&crc.to_le_bytes());
                let _ = read(&altered);
            }
        }
    }

    /// `if`s within `if`s, deeper than any stack: three bytes per level.
    #[test]
    fn bottomless_control_flow_is_an_error() {
        let step = Step::If { pred: BufferId(0), then: vec![], otherwise: vec![] };
        let one = bincode::serde::encode_to_vec(&step, bincode::config::standard()).expect("encoded");
        let level = [&one[..2], &[1]].concat();
        let bytes = [vec![1], level.repeat(1 << 20)].concat();
        let decoded = bincode::serde::decode_from_slice::<Vec<Step>, _>(&bytes, bincode::config::standard());
        assert!(decoded.expect_err("too deep").to_string().contains("nested more than"));
    }

    #[test]
    fn other_versions_and_targets_are_named() {
        let mut bytes = write(&sample()).expect("written");
        bytes[8] = 9;
        assert_eq!(read(&bytes), Err(ArtifactError::Version { supported: FORMAT_VERSION, found: 9 }));
        let host = Target::Cpu(CpuTarget::host());
        assert_eq!(check_target(&host), Ok(()));
        let mut warp = CpuTarget::host();
        warp.features.push("warp".into());
        let error = check_target(&Target::Cpu(warp)).expect_err("no such feature").to_string();
        assert!(error.contains("lacks warp"), "{error}");
        let other = CpuTarget { arch: "mips".into(), features: vec![] };
        assert!(check_target(&Target::Cpu(other)).is_err());
    }
}
