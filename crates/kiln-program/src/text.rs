//! Programs as text: the signature, the steps, the memory plan as a table and as a picture of the arena over time.

use crate::call::CallParams;
use crate::{BoundPort, Buffer, BufferId, KernelInfo, Program, Slot, Step};
use std::fmt;

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "program {}", self.name)?;
        if !self.signature.dims.is_empty() {
            let dims: Vec<String> = self.signature.dims.iter().map(|(name, size)| format!("{name} = {size}")).collect();
            writeln!(f, "  sizes    {}", dims.join(", "))?;
        }
        for p in &self.signature.inputs {
            writeln!(f, "  input    {}", port(p))?;
        }
        for v in &self.signature.variables {
            let updated = if v.updated { " (updated)" } else { "" };
            writeln!(f, "  variable {}: {}{:?}{updated}", v.name, v.dtype, v.shape)?;
        }
        for p in &self.signature.outputs {
            writeln!(f, "  output   {}", port(p))?;
        }
        writeln!(
            f,
            "arena {} bytes (lower bound {}), constants {} bytes",
            self.arena_bytes,
            self.lower_bound_bytes,
            self.constants.iter().sum::<u64>()
        )?;
        let mut number = 0;
        write_steps(f, self, &self.steps, 1, &mut number)
    }
}

fn port(p: &BoundPort) -> String {
    format!("{}: {}{:?}", p.name, p.dtype, p.shape)
}

fn place(program: &Program, id: BufferId) -> String {
    let b = program.buffer(id);
    let slot = match b.slot {
        Slot::Arena => "arena".to_owned(),
        Slot::Constants(i) => format!("constants {i}"),
        Slot::Input(i) => format!("input {}", program.signature.inputs[i as usize].name),
        Slot::Output(i) => format!("output {}", program.signature.outputs[i as usize].name),
        Slot::Variable(i) => format!("variable {}", program.signature.variables[i as usize].name),
    };
    let at = if b.offset > 0 || b.slot == Slot::Arena { format!("+{}", b.offset) } else { String::new() };
    format!("{}@{slot}{at}[{}]", b.name, b.bytes)
}

fn kernel(info: &KernelInfo) -> String {
    format!("{} x{}, {} bytes, {} ops", info.name, info.extent, info.bytes_moved, info.flops)
}

fn write_steps(
    f: &mut fmt::Formatter<'_>,
    program: &Program,
    steps: &[Step],
    depth: usize,
    number: &mut u32,
) -> fmt::Result {
    let indent = "  ".repeat(depth);
    let list = |args: &[BufferId]| args.iter().map(|&a| place(program, a)).collect::<Vec<_>>().join(", ");
    for step in steps {
        write!(f, "{indent}{number}: ")?;
        *number += 1;
        let (what, titles): (String, [&str; 2]) = match step {
            Step::Launch { kernel: k, args } => {
                (format!("launch #{k} {} ({})", kernel(&program.kernels[*k as usize]), list(args)), [""; 2])
            }
            Step::Call { call, args } => {
                (format!("call {} ({})", program.calls[*call as usize].call.name(), list(args)), [""; 2])
            }
            Step::Copy { src, dst } => (format!("copy {} -> {}", place(program, *src), place(program, *dst)), [""; 2]),
            Step::While { pred, .. } => (format!("while {}", place(program, *pred)), ["", "do"]),
            Step::If { pred, .. } => (format!("if {}", place(program, *pred)), ["", "else"]),
            Step::Case { index, .. } => (format!("case {}", place(program, *index)), ["branch"; 2]),
        };
        writeln!(f, "{what}")?;
        for (i, inner) in step.children().into_iter().enumerate() {
            match titles[i.min(1)] {
                "" => {}
                title => writeln!(f, "{indent}{title}")?,
            }
            write_steps(f, program, inner, depth + 1, number)?;
        }
    }
    Ok(())
}

/// Width and height of the picture, in characters.
const COLUMNS: u64 = 100;
const ROWS: u64 = 24;

impl Program {
    /// The memory plan as a table: every arena buffer with its size, offset and lifetime in steps.
    pub fn memory_table(&self) -> String {
        let mut out = format!("{:>12} {:>12} {:>13}  name\n", "offset", "bytes", "steps");
        for b in self.arena_buffers() {
            out += &format!("{:>12} {:>12} {:>6}-{:<6}  {}\n", b.offset, b.bytes, b.live.0, b.live.1, b.name);
        }
        out
    }

    /// The arena over time: steps from left to right, addresses from bottom to top, one letter a buffer, `.` free memory.
    pub fn arena_picture(&self) -> String {
        let buffers = self.arena_buffers();
        let steps = buffers.iter().map(|b| u64::from(b.live.1) + 1).max().unwrap_or(0);
        if steps == 0 || self.arena_bytes == 0 {
            return "(the arena is empty)\n".to_owned();
        }
        let columns = steps.min(COLUMNS);
        let mut picture = vec![vec!['.'; columns as usize]; ROWS as usize];
        for (i, b) in buffers.iter().enumerate().filter(|(_, b)| b.bytes > 0) {
            let letter = char::from(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[i % 52]);
            let row = |address: u64| (address as u128 * ROWS as u128 / self.arena_bytes as u128) as usize;
            let column = |step: u32| (u64::from(step) * columns / steps) as usize;
            for line in &mut picture[row(b.offset)..=row(b.offset + b.bytes - 1)] {
                line[column(b.live.0)..=column(b.live.1)].fill(letter);
            }
        }
        let lines: Vec<String> = picture.iter().rev().map(|l| l.iter().collect()).collect();
        format!("{}\n{} steps, {} bytes\n", lines.join("\n"), steps, self.arena_bytes)
    }

    fn arena_buffers(&self) -> Vec<&Buffer> {
        let mut list: Vec<&Buffer> =
            self.buffers.iter().filter(|b| b.slot == Slot::Arena && b.live.0 <= b.live.1).collect();
        list.sort_by_key(|b| (b.live.0, b.offset));
        list
    }
}
