//! Emission of PTX text.

mod fold;
mod ops;
mod regs;
mod stmt;

use crate::launch::{Mode, Plan};
use kiln_loops::{Kernel, LoopKind, Stmt};
use regs::{Class, Emitter};
use std::fmt::Write;

/// The text of one entry.
pub(crate) fn entry(kernel: &Kernel, name: &str, plan: &Plan) -> String {
    let mut e = Emitter::new(kernel, plan);
    e.prologue();
    match plan.mode {
        Mode::Flat { parallel, vector } => e.flat(parallel, vector),
        Mode::Blocks { parallel } => e.blocks(parallel),
    }
    e.line("ret;");
    let mut text = String::new();
    let _ = writeln!(text, "// {}", kernel.name.replace(['\n', '\r'], " "));
    for (i, p) in kernel.params.iter().enumerate() {
        let _ = writeln!(text, "// param {i}: {} {}[{}]", p.name.replace(['\n', '\r'], " "), p.dtype, p.len);
    }
    let params: Vec<String> = (0..kernel.params.len()).map(|i| format!("\t.param .u64 {name}_p{i}")).collect();
    let list = if params.is_empty() { "()".to_string() } else { format!("(\n{}\n)", params.join(",\n")) };
    let _ = writeln!(text, ".visible .entry {name}{list}\n.maxntid {}, 1, 1\n{{", plan.shape.threads);
    text.push_str(&e.declarations());
    text.push('\n');
    text.push_str(&e.text.replace("$ENTRY", name));
    text.push_str("}\n");
    text
}

/// The statements of the parallel loop, or of the kernel when it has none.
fn inner_body(kernel: &Kernel) -> &[Stmt] {
    match kernel.body.as_slice() {
        [Stmt::Loop(l)] if l.kind == LoopKind::Parallel => &l.body,
        body => body,
    }
}

impl Emitter<'_> {
    /// Addresses of the parameters and the numbers of the thread.
    fn prologue(&mut self) {
        for i in 0..self.kernel.params.len() {
            let raw = self.reg(Class::B64);
            let base = self.reg(Class::B64);
            self.line(&format!("ld.param.u64 {raw}, [$ENTRY_p{i}];"));
            self.line(&format!("cvta.to.global.u64 {base}, {raw};"));
            self.params.push(base);
        }
        for i in 0..self.kernel.locals.len() {
            let base = self.reg(Class::B64);
            self.line(&format!("mov.u64 {base}, scratch{i};"));
            self.locals.push(base);
        }
        let tid = self.reg(Class::B32);
        self.line(&format!("mov.u32 {tid}, %tid.x;"));
        self.tid = tid;
    }
}
