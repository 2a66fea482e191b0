//! Writing: contents are gathered into sections, each standing once, then put down in order.

use crate::read::{Artifact, Entry};
use crate::sections::{Kind, SectionWriter};
use crate::wire::codec::encode;
use crate::wire::manifest::{BindingRecord, EntryRecord, Manifest, PortRecord, Start, TargetRecord, VariableRecord};
use crate::wire::program::{CpuCodeRecord, ProgramRecord, PtxCodeRecord};
use kiln_ir::Initializer;
use kiln_ir::dim::DimEnv;
use kiln_program::{Code, CompiledProgram, Port, Signature, Variable};
use std::io::Write;

/// What an artifact is made of.
pub struct Contents<'a> {
    /// Who writes it, for people: `kiln 0.1.0`.
    pub producer: &'a str,
    /// The name of the graph.
    pub name: &'a str,
    /// Inputs, outputs and variables with named dimensions. Variables start as it says.
    pub signature: &'a Signature,
    /// The graph for each target and each set of sizes.
    pub programs: Vec<Source<'a>>,
}

/// Where a program of the file comes from.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// It was compiled here.
    Compiled(&'a CompiledProgram),
    /// It is taken over from another file, whatever its target; left out when only a newer version knows what it is.
    Kept(&'a Artifact, &'a Entry),
}

impl Contents<'_> {
    /// Writes the file. The same contents always give the same bytes.
    ///
    /// # Errors
    /// What `out` reports.
    pub fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        self.write_as(crate::MINOR_VERSION, &[], out)
    }

    /// Writes a file of a minor version, with bytes at the end of each record that only it knows.
    pub(crate) fn write_as(&self, minor: u32, unknown: &'static [u8], out: &mut dyn Write) -> std::io::Result<()> {
        let mut sections = SectionWriter::new(minor);
        let entries = self.programs.iter().filter_map(|p| entry(p, unknown, &mut sections)).collect();
        let manifest = Manifest {
            producer: self.producer,
            name: self.name,
            inputs: self.signature.inputs.iter().map(port).collect(),
            outputs: self.signature.outputs.iter().map(port).collect(),
            variables: self.signature.variables.iter().map(|v| variable(v, &mut sections)).collect(),
            entries,
        };
        sections.write(&encode(&manifest, unknown), out)
    }
}

fn port(p: &Port) -> PortRecord {
    PortRecord { name: p.name.clone(), dtype: p.dtype, shape: p.shape.clone() }
}

fn variable<'a>(v: &'a Variable, sections: &mut SectionWriter<'a>) -> VariableRecord {
    let init = match &v.init {
        Initializer::Value(value) => Start::Blob(sections.add(Kind::Blob, value.bytes())),
        recipe => Start::Recipe(recipe.clone()),
    };
    VariableRecord { name: v.name.clone(), dtype: v.dtype, shape: v.shape.clone(), init }
}

/// The entry of a program; none for what only a newer version knows.
fn entry<'a>(source: &Source<'a>, unknown: &'static [u8], sections: &mut SectionWriter<'a>) -> Option<EntryRecord<'a>> {
    let dims = |dims: &'a DimEnv| dims.iter().map(|(name, &value)| BindingRecord { name, value }).collect();
    Some(match *source {
        Source::Compiled(CompiledProgram { program, constants, code }) => {
            let record = ProgramRecord {
                buffers: program.buffers.clone(),
                steps: program.steps.clone(),
                kernels: program.kernels.clone(),
                calls: program.calls.clone(),
                arena_bytes: program.arena_bytes,
                lower_bound_bytes: program.lower_bound_bytes,
            };
            let object = match code {
                Code::Native(c) => {
                    encode(&CpuCodeRecord { entry: c.entry, kernels: c.kernels.clone(), bytes: &c.bytes }, unknown)
                }
                Code::Ptx(c) => {
                    let (text, kernels, calls) = (c.text.clone(), c.kernels.clone(), c.calls.clone());
                    encode(&PtxCodeRecord { text, kernels, calls }, unknown)
                }
            };
            let s = &program.signature;
            EntryRecord {
                minor: crate::MINOR_VERSION,
                target: TargetRecord::of(&code.target()),
                dims: dims(&s.dims),
                updated: s.variables.iter().map(|v| v.updated).collect(),
                program: sections.add(Kind::Program, encode(&record, unknown)),
                code: sections.add(Kind::Code, object),
                constants: constants.iter().map(|block| sections.add(Kind::Blob, &block[..])).collect(),
            }
        }
        Source::Kept(file, entry) => {
            let mut keep = |kind, i| sections.add(kind, file.bytes(i));
            EntryRecord {
                minor: entry.minor,
                target: TargetRecord::of(entry.target.as_ref()?),
                dims: dims(&entry.dims),
                updated: entry.updated.clone(),
                program: keep(Kind::Program, entry.program),
                code: keep(Kind::Code, entry.code),
                constants: entry.constants.iter().map(|&i| keep(Kind::Blob, i)).collect(),
            }
        }
    })
}
