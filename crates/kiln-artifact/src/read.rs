//! Reading: a file's manifest, then those of its programs that are wanted.

use crate::blobs::FileBytes;
use crate::error::ArtifactError;
use crate::sections::{Kind, Sections};
use crate::wire::codec::{self, Wire};
use crate::wire::manifest::{EntryRecord, Manifest, PortRecord, Start, VariableRecord};
use crate::wire::program::{CpuCodeRecord, ProgramRecord, PtxCodeRecord};
use kiln_ir::dim::DimEnv;
use kiln_ir::{Initializer, Tensor};
use kiln_program::{Blob, Code, CompiledProgram, NativeCode, Port, Program, PtxCode, Signature, Target, Variable};
use std::sync::Arc;

/// A file whose outer parts are read: what it holds is known, its programs are decoded when asked for, its blobs stay where
/// they are.
#[derive(Clone)]
pub struct Artifact {
    pub(crate) file: FileBytes,
    pub(crate) sections: Arc<Sections>,
    producer: String,
    name: String,
    signature: Signature,
    entries: Vec<Entry>,
}

/// One program of a file: the graph for one target and one set of sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What it needs of the machine; none when this version does not know the kind of target, or the entry uses what a newer
    /// minor version brought.
    pub target: Option<Target>,
    /// What it needs, for people.
    pub needs: String,
    /// The values of the named dimensions.
    pub dims: DimEnv,
    /// For each variable: whether a run writes it.
    pub updated: Vec<bool>,
    pub(crate) minor: u32,
    pub(crate) program: u32,
    pub(crate) code: u32,
    pub(crate) constants: Vec<u32>,
}

impl Artifact {
    /// Reads header, section table and manifest, and checks what they say of the file; nothing else of it is touched.
    ///
    /// # Errors
    /// What is wrong with the file; never panics, whatever the bytes.
    pub fn read(file: FileBytes) -> Result<Artifact, ArtifactError> {
        let sections = Sections::read(file.bytes())?;
        let at = sections.manifest()?;
        sections.verify(at, file.bytes())?;
        let shared = file.clone();
        let manifest: Manifest = decode(&sections, at, shared.bytes())?;
        let entries = manifest.entries.iter().map(|e| entry(e, &sections)).collect::<Result<Vec<_>, _>>()?;
        if entries.is_empty() {
            return Err(in_manifest("it holds no program"));
        }
        if let Some(e) = entries.iter().find(|e| e.updated.len() != manifest.variables.len()) {
            let (found, expected) = (e.updated.len(), manifest.variables.len());
            return Err(in_manifest(format!(
                "an entry says of {found} variables whether they are updated, not of {expected}"
            )));
        }
        let mut signature = Signature {
            inputs: manifest.inputs.into_iter().map(port).collect(),
            outputs: manifest.outputs.into_iter().map(port).collect(),
            variables: Vec::new(),
        };
        for (i, v) in manifest.variables.into_iter().enumerate() {
            // A variable may keep its value for some sizes only.
            let updated = entries.iter().any(|e| e.updated[i]);
            signature.variables.push(variable(v, updated, &sections, &file)?);
        }
        Ok(Artifact {
            file,
            sections: Arc::new(sections),
            producer: manifest.producer.to_owned(),
            name: manifest.name.to_owned(),
            signature,
            entries,
        })
    }

    /// Checks everything: each section against its checksum, blobs included, and that every entry of a known target decodes.
    ///
    /// # Errors
    /// The first part that is damaged, by name.
    pub fn verify(&self) -> Result<(), ArtifactError> {
        self.sections.verify_all(self.file.bytes())?;
        (0..self.entries.len()).filter(|&i| self.entries[i].target.is_some()).try_for_each(|i| self.load(i).map(drop))
    }

    /// Who wrote it: `kiln 0.1.0`.
    pub fn producer(&self) -> &str {
        &self.producer
    }

    /// The name of the graph.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format version, major and minor.
    pub fn version(&self) -> (u32, u32) {
        (crate::FORMAT_VERSION, self.sections.minor)
    }

    /// Inputs, outputs and variables with named dimensions. Values of variables lie in the file.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Its programs, at least one.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The targets that there are programs for with these values of the named dimensions.
    pub fn targets(&self, dims: &DimEnv) -> Vec<Target> {
        self.entries.iter().filter(|e| e.dims == *dims).filter_map(|e| e.target.clone()).collect()
    }

    /// Sizes of the blobs in bytes: values of variables, and constants.
    pub fn blobs(&self) -> Vec<u64> {
        self.sections.sizes(Kind::Blob).collect()
    }

    /// For each set of sizes the entry that suits this machine best. `accepts` says how much a target is preferred, or what the
    /// machine lacks for it; of equals, the first is taken.
    ///
    /// # Errors
    /// [`ArtifactError::Target`] when there is none, with all that the file has.
    pub fn select(
        &self,
        machine: &str,
        accepts: impl Fn(&Target) -> Result<u32, String>,
    ) -> Result<Vec<usize>, ArtifactError> {
        let mut chosen: Vec<(usize, u32)> = Vec::new();
        let mut refused = Vec::new();
        for (i, entry) in self.entries.iter().enumerate() {
            let newer = || format!("a newer reader (format version {}.{})", crate::FORMAT_VERSION, entry.minor);
            match entry.target.as_ref().ok_or_else(newer).and_then(&accepts) {
                Err(lacks) => refused.push(format!("{entry}, lacking {lacks}")),
                Ok(preference) => match chosen.iter_mut().find(|(c, _)| self.entries[*c].dims == entry.dims) {
                    Some(known) if known.1 < preference => *known = (i, preference),
                    Some(_) => {}
                    None => chosen.push((i, preference)),
                },
            }
        }
        if chosen.is_empty() {
            return Err(ArtifactError::Target { has: refused, machine: machine.to_owned() });
        }
        Ok(chosen.into_iter().map(|(i, _)| i).collect())
    }

    /// Decodes and checks an entry: its program and code; constants and machine code are used in place.
    ///
    /// # Errors
    /// What is damaged, by name.
    ///
    /// # Panics
    /// When there is no such entry.
    pub fn load(&self, entry: usize) -> Result<CompiledProgram, ArtifactError> {
        let entry = &self.entries[entry];
        let Some(target) = entry.target.clone() else {
            return Err(in_manifest(format!("the entry for {} is not known to this version", entry.needs)));
        };
        let record: ProgramRecord = self.section(entry.program)?;
        let constants: Vec<Blob> = entry.constants.iter().map(|&i| self.part(self.bytes(i))).collect();
        let mut signature = self.signature.bind(&entry.dims).map_err(|e| in_manifest(e.to_string()))?;
        for (v, &updated) in signature.variables.iter_mut().zip(&entry.updated) {
            v.updated = updated;
        }
        let program = Program {
            name: self.name.clone(),
            signature,
            buffers: record.buffers,
            steps: record.steps,
            kernels: record.kernels,
            calls: record.calls,
            constants: constants.iter().map(|block| block.len() as u64).collect(),
            arena_bytes: record.arena_bytes,
            lower_bound_bytes: record.lower_bound_bytes,
        };
        let invalid = |i: u32, why: String| ArtifactError::invalid(self.sections.name(i as usize), why);
        program.check().map_err(|e| invalid(entry.program, e.0))?;
        let code = self.code(target, entry.code)?;
        code.check(&program).map_err(|why| invalid(entry.code, why))?;
        Ok(CompiledProgram { program, constants, code })
    }

    fn code(&self, target: Target, section: u32) -> Result<Code, ArtifactError> {
        match target {
            Target::Cpu(target) => {
                let code: CpuCodeRecord = self.section(section)?;
                let bytes = self.part(code.bytes);
                Ok(Code::Native(NativeCode { target, bytes, entry: code.entry, kernels: code.kernels }))
            }
            Target::Cuda(target) => {
                let code: PtxCodeRecord = self.section(section)?;
                Ok(Code::Ptx(PtxCode { target, text: code.text, kernels: code.kernels, calls: code.calls }))
            }
        }
    }

    fn section<'f, T: Wire<'f>>(&'f self, i: u32) -> Result<T, ArtifactError> {
        self.sections.verify(i as usize, self.file.bytes())?;
        decode(&self.sections, i as usize, self.file.bytes())
    }

    /// The bytes of a section that is known to be there.
    pub(crate) fn bytes(&self, i: u32) -> &[u8] {
        self.sections.bytes(i as usize, self.file.bytes())
    }

    /// Some of the file's bytes in place.
    fn part(&self, bytes: &[u8]) -> Blob {
        let start = bytes.as_ptr().addr() - self.file.bytes().as_ptr().addr();
        Blob::new(Arc::new(self.file.part(start..start + bytes.len())))
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.needs)?;
        let dims: Vec<String> = self.dims.iter().map(|(name, n)| format!("{name} = {n}")).collect();
        if dims.is_empty() { Ok(()) } else { write!(f, " ({})", dims.join(", ")) }
    }
}

fn in_manifest(reason: impl Into<String>) -> ArtifactError {
    ArtifactError::invalid("manifest", reason)
}

fn decode<'f, T: Wire<'f>>(sections: &Sections, i: usize, file: &'f [u8]) -> Result<T, ArtifactError> {
    codec::decode(sections.bytes(i, file)).map_err(|why| ArtifactError::invalid(sections.name(i), why))
}

fn port(p: PortRecord) -> Port {
    Port { name: p.name, dtype: p.dtype, shape: p.shape }
}

fn variable(
    v: VariableRecord,
    updated: bool,
    sections: &Sections,
    file: &FileBytes,
) -> Result<Variable, ArtifactError> {
    let init = match v.init {
        Start::Recipe(init) => init,
        Start::Blob(i) => {
            let user = format!("variable {:?}", v.name);
            sections.check_kind(i, Kind::Blob, &user)?;
            let part = file.part(sections.range(i as usize));
            let value = Tensor::from_storage(v.dtype, &v.shape, Arc::new(part));
            Initializer::Value(value.map_err(|e| in_manifest(format!("{user} in {}: {e}", sections.name(i as usize))))?)
        }
    };
    Ok(Variable { name: v.name, dtype: v.dtype, shape: v.shape, init, updated })
}

fn entry(e: &EntryRecord<'_>, sections: &Sections) -> Result<Entry, ArtifactError> {
    let needs = e.target.to_string();
    sections.check_kind(e.program, Kind::Program, &needs)?;
    sections.check_kind(e.code, Kind::Code, &needs)?;
    e.constants.iter().try_for_each(|&i| sections.check_kind(i, Kind::Blob, &needs))?;
    // It is 0 today, which makes this a comparison with the smallest number.
    #[expect(clippy::absurd_extreme_comparisons, reason = "the version will grow")]
    let known = e.minor <= crate::MINOR_VERSION;
    Ok(Entry {
        target: e.target.target().filter(|_| known),
        needs,
        dims: e.dims.iter().map(|b| (b.name.into(), b.value)).collect(),
        updated: e.updated.clone(),
        minor: e.minor,
        program: e.program,
        code: e.code,
        constants: e.constants.clone(),
    })
}
