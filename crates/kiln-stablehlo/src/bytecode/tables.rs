//! The sections of a file: strings, dialects, names of operations, attributes and types, properties.

use super::cursor::{Cursor, Fault, Read};
use crate::ast::Place;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The newest version of the format that is read.
const NEWEST_FORMAT: u64 = 6;

/// Versions of the format from which on things are encoded differently.
pub(super) mod since {
    /// Dialects carry their version.
    pub const DIALECT_VERSIONS: u64 = 1;
    /// Isolated regions are sections.
    pub const REGION_SECTIONS: u64 = 2;
    /// Orders of uses.
    pub const USE_ORDERS: u64 = 3;
    /// Unknown locations of block arguments are left out, operation names are counted.
    pub const ELIDED_LOCATIONS: u64 = 4;
    /// Properties of operations in a section of their own.
    pub const PROPERTIES: u64 = 5;
}

const STRINGS: u8 = 0;
const DIALECTS: u8 = 1;
const ENTRIES: u8 = 2;
const OFFSETS: u8 = 3;
pub(super) const IR: u8 = 4;
const RESOURCE_OFFSETS: u8 = 6;
const DIALECT_VERSION: u8 = 7;
const PROPERTIES: u8 = 8;
const SECTIONS: usize = 9;

/// An encoded attribute or type.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Index of its dialect.
    dialect: usize,
    /// False for text.
    pub custom: bool,
    /// Where it is.
    pub range: Range<usize>,
}

/// The name of an operation.
#[derive(Clone, Debug)]
pub(super) struct OpName {
    dialect: usize,
    /// Index of the string.
    name: usize,
    /// Whether the writer knew the operation, where the file says so.
    pub registered: Option<bool>,
}

/// What is known of an attribute as a source location.
#[derive(Clone, Debug, Default)]
pub(super) enum Source {
    /// Not looked at.
    #[default]
    New,
    /// Being looked at, or none.
    None,
    /// A place.
    At(Place),
}

/// A file whose tables are read.
pub(super) struct File<'b> {
    /// All bytes.
    pub all: Cursor<'b>,
    /// Name of the file.
    pub name: Arc<str>,
    /// Version of the format.
    pub version: u64,
    strings: Vec<&'b [u8]>,
    /// Indices of the names of the dialects.
    dialects: Vec<usize>,
    op_names: Vec<OpName>,
    pub attrs: Vec<Entry>,
    pub types: Vec<Entry>,
    properties: Vec<Range<usize>>,
    /// The operations.
    pub ir: Range<usize>,
    /// What the attributes are as source locations.
    pub sources: Vec<Source>,
    /// How much the operations may still take, roughly in bytes.
    pub budget: usize,
}

impl<'b> File<'b> {
    /// Reads all tables.
    pub(super) fn open(bytes: &'b [u8], name: &str) -> Read<File<'b>> {
        let mut c = Cursor::new(bytes);
        c.take(super::MAGIC.len())?;
        let version = c.varint()?;
        if version > NEWEST_FORMAT {
            return c
                .unsupported(format!("version {version} of the format; the newest that is read is {NEWEST_FORMAT}"));
        }
        // The producer.
        c.terminated()?;
        let mut sections: [Option<Range<usize>>; SECTIONS] = Default::default();
        while !c.at_end() {
            let (kind, range) = c.section()?;
            match sections.get_mut(usize::from(kind)) {
                Some(free @ None) => *free = Some(range),
                Some(Some(_)) => return c.fail(format!("a second section {kind}")),
                None => return c.fail(format!("an unknown section {kind}")),
            }
        }
        let section = |kind: u8| match sections[usize::from(kind)].clone() {
            Some(range) => Ok(range),
            None => c.fail(format!("section {kind} is missing")),
        };
        let all = Cursor::new(bytes);
        let strings = strings(all.over(section(STRINGS)?))?;
        let mut file = File {
            name: Arc::from(name),
            version,
            strings,
            dialects: Vec::new(),
            op_names: Vec::new(),
            attrs: Vec::new(),
            types: Vec::new(),
            properties: Vec::new(),
            ir: section(IR)?,
            sources: Vec::new(),
            budget: (1 << 26) + 64 * bytes.len(),
            all: all.clone(),
        };
        file.dialects(all.over(section(DIALECTS)?))?;
        file.entries(all.over(section(OFFSETS)?), section(ENTRIES)?)?;
        file.sources = vec![Source::New; file.attrs.len()];
        if let Some(range) = &sections[usize::from(RESOURCE_OFFSETS)]
            && !all.over(range.clone()).at_end()
        {
            file.no_resources(all.over(range.clone()))?;
        }
        match &sections[usize::from(PROPERTIES)] {
            Some(range) => file.properties(all.over(range.clone()))?,
            None if version >= since::PROPERTIES => return c.fail("the section of properties is missing"),
            None => {}
        }
        Ok(file)
    }

    fn dialects(&mut self, mut c: Cursor<'b>) -> Read<()> {
        for _ in 0..c.count()? {
            let (name, versioned) = match self.version {
                v if v < since::DIALECT_VERSIONS => (c.index()?, false),
                _ => c.flagged()?,
            };
            self.string(name, &c)?;
            self.dialects.push(name);
            if versioned && c.section()?.0 != DIALECT_VERSION {
                return c.fail("expected the version of a dialect");
            }
        }
        if self.version >= since::ELIDED_LOCATIONS {
            // The number of names, of use for allocating only.
            c.varint()?;
        }
        while !c.at_end() {
            let dialect = self.dialect_index(&mut c)?;
            for _ in 0..c.count()? {
                let (name, registered) = match self.version {
                    v if v < since::PROPERTIES => (c.index()?, None),
                    _ => c.flagged().map(|(name, known)| (name, Some(known)))?,
                };
                self.string(name, &c)?;
                self.op_names.push(OpName { dialect, name, registered });
            }
        }
        Ok(())
    }

    fn dialect_index(&self, c: &mut Cursor<'b>) -> Read<usize> {
        let index = c.index()?;
        if index >= self.dialects.len() {
            return c.fail(format!("dialect {index} of {}", self.dialects.len()));
        }
        Ok(index)
    }

    /// Attributes and types: their sizes, by dialect.
    fn entries(&mut self, mut c: Cursor<'b>, data: Range<usize>) -> Read<()> {
        let (attrs, types) = (c.count()?, c.count()?);
        let mut at = data.start;
        for (types_too, count) in [(false, attrs), (true, types)] {
            let mut list = Vec::with_capacity(count);
            while list.len() < count {
                let dialect = self.dialect_index(&mut c)?;
                let group = c.count()?;
                if group > count - list.len() {
                    return c.fail("more attributes or types than announced");
                }
                for _ in 0..group {
                    let (size, custom) = c.flagged()?;
                    if size > data.end - at {
                        return c.fail("an attribute or type beyond the end of its section");
                    }
                    list.push(Entry { dialect, custom, range: at..at + size });
                    at += size;
                }
            }
            if types_too { self.types = list } else { self.attrs = list }
        }
        if !c.at_end() {
            return c.fail("bytes behind the last attribute or type");
        }
        Ok(())
    }

    /// Resources hold the data of `dense_resource<...>`, which VHLO does not have. Files list them even where there are none.
    fn no_resources(&self, mut c: Cursor<'b>) -> Read<()> {
        let external = c.varint()?;
        if external == 0 && c.at_end() {
            return Ok(());
        }
        c.unsupported("resources beside the module")
    }

    fn properties(&mut self, mut c: Cursor<'b>) -> Read<()> {
        if c.at_end() {
            return Ok(());
        }
        for _ in 0..c.count()? {
            let size = c.index()?;
            self.properties.push(c.range(size)?);
        }
        if !c.at_end() {
            return c.fail("bytes behind the last properties");
        }
        Ok(())
    }

    /// A string by its index.
    pub(super) fn string(&self, index: usize, c: &Cursor<'b>) -> Read<Cow<'b, str>> {
        match self.strings.get(index) {
            Some(bytes) => Ok(String::from_utf8_lossy(bytes)),
            None => c.fail(format!("string {index} of {}", self.strings.len())),
        }
    }

    /// A string whose index comes next.
    pub(super) fn next_string(&self, c: &mut Cursor<'b>) -> Read<Cow<'b, str>> {
        let index = c.index()?;
        self.string(index, c)
    }

    /// The name of an entry's dialect.
    pub(super) fn dialect_of(&self, entry: &Entry, c: &Cursor<'b>) -> Read<Cow<'b, str>> {
        self.string(self.dialects[entry.dialect], c)
    }

    /// Dialect and name of the operation whose index comes next, and whether the writer knew it.
    pub(super) fn next_op_name(&self, c: &mut Cursor<'b>) -> Read<(Cow<'b, str>, Cow<'b, str>, Option<bool>)> {
        let index = c.index()?;
        let Some(op) = self.op_names.get(index) else {
            return c.fail(format!("operation name {index} of {}", self.op_names.len()));
        };
        Ok((self.string(self.dialects[op.dialect], c)?, self.string(op.name, c)?, op.registered))
    }

    /// The properties whose index comes next.
    pub(super) fn next_properties(&self, c: &mut Cursor<'b>) -> Read<Cursor<'b>> {
        let index = c.index()?;
        match self.properties.get(index) {
            Some(range) => Ok(self.all.over(range.clone())),
            None => c.fail(format!("properties {index} of {}", self.properties.len())),
        }
    }

    /// Takes this much of what the operations may take. A file can name the same things over and over, so that what it
    /// stands for is much more than its size.
    pub(super) fn charge(&mut self, cost: usize, c: &Cursor<'b>) -> Read<()> {
        match self.budget.checked_sub(cost) {
            Some(rest) => {
                self.budget = rest;
                Ok(())
            }
            None => Err(Fault {
                at: c.place(),
                message: "a program out of all proportion to its file".into(),
                unsupported: true,
            }),
        }
    }
}

/// Sizes in reverse order, then the strings, each with a zero behind it.
fn strings<'b>(mut c: Cursor<'b>) -> Read<Vec<&'b [u8]>> {
    let count = c.count()?;
    let mut sizes = Vec::with_capacity(count);
    for _ in 0..count {
        match c.index()? {
            0 => return c.fail("a string without its closing zero"),
            size => sizes.push(size),
        }
    }
    let mut out = Vec::with_capacity(count);
    for size in sizes.into_iter().rev() {
        out.push(&c.take(size)?[..size - 1]);
    }
    if !c.at_end() {
        return c.fail("bytes behind the last string");
    }
    Ok(out)
}
