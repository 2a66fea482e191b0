//! The outermost structure of the file: a header, a table of sections with their checksums, the sections.

use crate::error::ArtifactError;
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::ops::Range;

const MAGIC: [u8; 8] = *b"\x89KILN\r\n\x1a";
const HEADER: usize = 64;
/// Bytes of a row of the section table; a minor version may append to it.
const ROW: usize = 24;
/// Sections begin at multiples of this.
const ALIGN: usize = 64;

/// What a section holds. Readers pass over kinds that they do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum Kind {
    Manifest = 1,
    Program = 2,
    Code = 3,
    Blob = 4,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::Manifest, Kind::Program, Kind::Code, Kind::Blob];

    fn name(self) -> &'static str {
        match self {
            Kind::Manifest => "manifest",
            Kind::Program => "program",
            Kind::Code => "code",
            Kind::Blob => "blob",
        }
    }
}

/// A row of the section table.
#[derive(Debug)]
struct Section {
    kind: u32,
    checksum: u32,
    range: Range<usize>,
}

/// Header and section table, read and checked.
#[derive(Debug)]
pub(crate) struct Sections {
    pub(crate) minor: u32,
    rows: Vec<Section>,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn size(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn check(section: &str, bytes: &[u8], checksum: u32) -> Result<(), ArtifactError> {
    if crc32fast::hash(bytes) == checksum { Ok(()) } else { Err(ArtifactError::Checksum { section: section.into() }) }
}

impl Sections {
    /// Reads and checks header and table; the sections' own checksums are for later.
    pub(crate) fn read(bytes: &[u8]) -> Result<Sections, ArtifactError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(ArtifactError::NotAnArtifact);
        }
        let found = bytes.len() as u64;
        let too_short = Err(ArtifactError::Length { expected: HEADER as u64, found });
        if bytes.len() < 12 {
            return too_short;
        }
        let major = u32_at(bytes, 8);
        if major != crate::FORMAT_VERSION {
            return Err(ArtifactError::Version { supported: crate::FORMAT_VERSION, found: major });
        }
        if bytes.len() < HEADER {
            return too_short;
        }
        check("header", &bytes[..HEADER - 4], u32_at(bytes, HEADER - 4))?;
        let expected = u64_at(bytes, 16);
        if expected != found {
            return Err(ArtifactError::Length { expected, found });
        }
        let (count, row) = (u32_at(bytes, 24) as usize, u32_at(bytes, 28) as usize);
        let invalid = |reason: String| Err(ArtifactError::invalid("header", reason));
        if row < ROW {
            return invalid(format!("rows of {row} bytes in the section table"));
        }
        let end = count.checked_mul(row).and_then(|n| n.checked_add(HEADER)).filter(|&end| end <= bytes.len());
        let Some(end) = end else { return invalid(format!("{count} sections in a file of {found} bytes")) };
        check("section table", &bytes[HEADER..end], u32_at(bytes, 32))?;
        let rows = bytes[HEADER..end].chunks_exact(row).map(|r| Section {
            kind: u32_at(r, 0),
            checksum: u32_at(r, 4),
            // Places that overflow are beyond every file.
            range: size(u64_at(r, 8))..size(u64_at(r, 8).saturating_add(u64_at(r, 16))),
        });
        let sections = Sections { minor: u32_at(bytes, 12), rows: rows.collect() };
        sections.check_places(end, bytes.len())?;
        Ok(sections)
    }

    /// Sections follow each other inside of the file: together they are no larger than it.
    fn check_places(&self, table_end: usize, file: usize) -> Result<(), ArtifactError> {
        let mut at = table_end;
        for (i, s) in self.rows.iter().enumerate() {
            let Range { start, end } = s.range;
            if !start.is_multiple_of(ALIGN) || start < at || end < start || end > file {
                let reason = format!("{} lies at {start} to {end}, in a file of {file} bytes", self.name(i));
                return Err(ArtifactError::invalid("section table", reason));
            }
            at = end;
        }
        Ok(())
    }

    /// A section's name in errors: `manifest`, `section 4 (blob)`.
    pub(crate) fn name(&self, i: usize) -> String {
        match Kind::ALL.iter().find(|k| **k as u32 == self.rows[i].kind) {
            Some(Kind::Manifest) => Kind::Manifest.name().to_owned(),
            Some(kind) => format!("section {i} ({})", kind.name()),
            None => format!("section {i} (of kind {})", self.rows[i].kind),
        }
    }

    /// The place of the manifest.
    pub(crate) fn manifest(&self) -> Result<usize, ArtifactError> {
        let mut found = (0..self.rows.len()).filter(|&i| self.rows[i].kind == Kind::Manifest as u32);
        match (found.next(), found.next()) {
            (Some(i), None) => Ok(i),
            (None, _) => Err(ArtifactError::invalid("section table", "there is no manifest")),
            (Some(_), Some(_)) => Err(ArtifactError::invalid("section table", "there are two manifests")),
        }
    }

    /// Checks that there is a section of this kind; `user` names who refers to it.
    pub(crate) fn check_kind(&self, i: u32, kind: Kind, user: &str) -> Result<(), ArtifactError> {
        match self.rows.get(i as usize) {
            Some(s) if s.kind == kind as u32 => Ok(()),
            _ => Err(ArtifactError::invalid("manifest", format!("{user}: section {i} is no {}", kind.name()))),
        }
    }

    /// The place of a section that is known to be there.
    pub(crate) fn range(&self, i: usize) -> Range<usize> {
        self.rows[i].range.clone()
    }

    /// The bytes of a section that is known to be there.
    pub(crate) fn bytes<'f>(&self, i: usize, file: &'f [u8]) -> &'f [u8] {
        &file[self.range(i)]
    }

    /// Checks a section's bytes against its checksum.
    pub(crate) fn verify(&self, i: usize, file: &[u8]) -> Result<(), ArtifactError> {
        check(&self.name(i), self.bytes(i, file), self.rows[i].checksum)
    }

    /// Checks every section's bytes, and that nothing lies between sections.
    pub(crate) fn verify_all(&self, file: &[u8]) -> Result<(), ArtifactError> {
        let mut at = HEADER + self.rows.len() * u32_at(file, 28) as usize;
        for (i, s) in self.rows.iter().enumerate() {
            if file[at..s.range.start].iter().any(|&b| b != 0) {
                return Err(ArtifactError::invalid(format!("space before {}", self.name(i)), "it is not empty"));
            }
            self.verify(i, file)?;
            at = s.range.end;
        }
        let rest = file.len() - at;
        if rest == 0 {
            Ok(())
        } else {
            Err(ArtifactError::invalid("end", format!("{rest} bytes belong to no section")))
        }
    }

    /// Sizes of the sections of a kind, in order of the table.
    pub(crate) fn sizes(&self, kind: Kind) -> impl Iterator<Item = u64> {
        self.rows.iter().filter(move |s| s.kind == kind as u32).map(|s| s.range.len() as u64)
    }
}

/// The sections of a file to be written. Equal contents of one kind stand once.
pub(crate) struct SectionWriter<'a> {
    contents: Vec<(u32, u32, Cow<'a, [u8]>)>,
    by_checksum: HashMap<(u32, u32, usize), Vec<u32>>,
    minor: u32,
}

impl<'a> SectionWriter<'a> {
    /// A file of this minor version, whose first section is the manifest, given at the end.
    pub(crate) fn new(minor: u32) -> SectionWriter<'a> {
        let manifest = (Kind::Manifest as u32, 0, Cow::Borrowed(&[][..]));
        SectionWriter { contents: vec![manifest], by_checksum: HashMap::new(), minor }
    }

    /// The section with these contents, a new one if there is none yet.
    pub(crate) fn add(&mut self, kind: Kind, bytes: impl Into<Cow<'a, [u8]>>) -> u32 {
        self.add_kind(kind as u32, bytes.into())
    }

    pub(crate) fn add_kind(&mut self, kind: u32, bytes: Cow<'a, [u8]>) -> u32 {
        let checksum = crc32fast::hash(&bytes);
        let same = self.by_checksum.entry((kind, checksum, bytes.len())).or_default();
        // The checksum only finds candidates: what is one section is equal to the byte.
        if let Some(&i) = same.iter().find(|&&i| self.contents[i as usize].2 == bytes) {
            return i;
        }
        let i = self.contents.len() as u32;
        same.push(i);
        self.contents.push((kind, checksum, bytes));
        i
    }

    /// Writes the file.
    pub(crate) fn write(mut self, manifest: &'a [u8], out: &mut dyn Write) -> std::io::Result<()> {
        self.contents[0] = (Kind::Manifest as u32, crc32fast::hash(manifest), Cow::Borrowed(manifest));
        let mut table = Vec::with_capacity(self.contents.len() * ROW);
        let table_end = HEADER + self.contents.len() * ROW;
        let (mut starts, mut end) = (Vec::with_capacity(self.contents.len()), table_end);
        for (kind, checksum, bytes) in &self.contents {
            let start = end.next_multiple_of(ALIGN);
            end = start + bytes.len();
            starts.push(start);
            table.extend([kind.to_le_bytes(), checksum.to_le_bytes()].concat());
            table.extend([(start as u64).to_le_bytes(), (bytes.len() as u64).to_le_bytes()].concat());
        }
        let mut header = [0u8; HEADER];
        header[..8].copy_from_slice(&MAGIC);
        header[8..12].copy_from_slice(&crate::FORMAT_VERSION.to_le_bytes());
        header[12..16].copy_from_slice(&self.minor.to_le_bytes());
        header[16..24].copy_from_slice(&(end as u64).to_le_bytes());
        header[24..28].copy_from_slice(&(self.contents.len() as u32).to_le_bytes());
        header[28..32].copy_from_slice(&(ROW as u32).to_le_bytes());
        header[32..36].copy_from_slice(&crc32fast::hash(&table).to_le_bytes());
        let checksum = crc32fast::hash(&header[..HEADER - 4]);
        header[HEADER - 4..].copy_from_slice(&checksum.to_le_bytes());
        out.write_all(&header)?;
        out.write_all(&table)?;
        let mut at = table_end;
        for (start, (_, _, bytes)) in starts.into_iter().zip(&self.contents) {
            out.write_all(&[0; ALIGN][..start - at])?;
            out.write_all(bytes)?;
            at = start + bytes.len();
        }
        Ok(())
    }
}
