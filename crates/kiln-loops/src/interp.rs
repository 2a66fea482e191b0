//! The loop IR interpreter: executes a kernel on byte buffers, with every access checked. The oracle of the code generators.
//!
//! Operators outside the basic set run through [`crate::math::expand`], so what is interpreted is what emitters see.

use crate::ir::{Access, Buf, Expr, Index, Kernel, Loop, LoopKind, Stmt, Var};
use crate::math::{self, MathOptions};
use crate::scalar::{self, OperatorError};
use kiln_ir::DType;
use std::fmt;

/// Why a kernel cannot be executed on these buffers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InterpError {
    /// The number of buffers, or the size of one, is not what the parameters say.
    Buffers(String),
    /// An index outside of the buffer.
    OutOfBounds {
        /// The buffer's name.
        buffer: String,
        /// The element index.
        index: i128,
        /// The number of elements.
        len: u64,
    },
    /// A load of an element that nothing was stored to.
    Uninitialized {
        /// The buffer's name.
        buffer: String,
        /// The element index.
        index: u64,
    },
    /// An output element that was never stored.
    NotStored {
        /// The buffer's name.
        buffer: String,
        /// The element index.
        index: u64,
    },
    /// A variable that no executed statement defined.
    Undefined(Var),
    /// An operator that cannot be evaluated: a division that traps, a shift out of range, a wrong type.
    Operator(OperatorError),
}

impl fmt::Display for InterpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InterpError::Buffers(m) => f.write_str(m),
            InterpError::Operator(e) => e.fmt(f),
            InterpError::OutOfBounds { buffer, index, len } => {
                write!(f, "index {index} is outside of {buffer}, which has {len} elements")
            }
            InterpError::Uninitialized { buffer, index } => {
                write!(f, "{buffer}[{index}] is loaded before it is stored")
            }
            InterpError::NotStored { buffer, index } => {
                write!(f, "{buffer}[{index}] is an output but was never stored")
            }
            InterpError::Undefined(v) => write!(f, "%{} is used before it is defined", v.0),
        }
    }
}
impl std::error::Error for InterpError {}

/// How to execute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InterpOptions {
    /// Round `fma` once (as a target with the instruction does) or twice.
    pub fused_fma: bool,
    /// Run the iterations of parallel and vector loops backwards: a result that depends on it shows a kernel that is wrong.
    pub reverse: bool,
}

impl Default for InterpOptions {
    fn default() -> Self {
        InterpOptions { fused_fma: true, reverse: false }
    }
}

struct Memory {
    name: String,
    bytes: Vec<u8>,
    stored: Vec<bool>,
}

struct Machine<'k> {
    kernel: &'k Kernel,
    options: InterpOptions,
    vars: Vec<Option<u64>>,
    axes: Vec<u64>,
    memory: Vec<Memory>,
    /// Memory of each parameter.
    params: Vec<usize>,
    /// Memory of the first local.
    locals: usize,
}

/// Executes `kernel` on one byte buffer per parameter, with default options.
///
/// # Errors
/// The buffers do not fit, or the kernel does something that has no meaning.
pub fn run(kernel: &Kernel, buffers: &mut [Vec<u8>]) -> Result<(), InterpError> {
    let own: Vec<usize> = (0..kernel.params.len()).collect();
    run_with(kernel, buffers, &own, InterpOptions::default())
}

/// Executes `kernel`; `buffer_of[p]` is the buffer of parameter `p`, so that two parameters may share one (in place).
///
/// # Errors
/// As [`run`].
pub fn run_with(
    kernel: &Kernel,
    buffers: &mut [Vec<u8>],
    buffer_of: &[usize],
    options: InterpOptions,
) -> Result<(), InterpError> {
    check_buffers(kernel, buffers, buffer_of)?;
    let mut expanded = kernel.clone();
    math::expand_with(&mut expanded, MathOptions { fused_fma: options.fused_fma, ..MathOptions::default() });
    let mut memory: Vec<Memory> = buffers
        .iter()
        .enumerate()
        .map(|(i, b)| Memory { name: format!("buffer {i}"), bytes: b.clone(), stored: vec![true; b.len()] })
        .collect();
    for (p, &b) in kernel.params.iter().zip(buffer_of) {
        memory[b].name = p.name.clone();
        let shared = buffer_of.iter().filter(|o| **o == b).count() > 1;
        if p.access == Access::Write && !shared {
            memory[b].stored = vec![false; p.len as usize];
        }
    }
    let locals = memory.len();
    for (i, l) in kernel.locals.iter().enumerate() {
        let bytes = vec![0; l.len as usize * l.dtype.size()];
        memory.push(Memory { name: format!("local {i}"), bytes, stored: vec![false; l.len as usize] });
    }
    let mut m = Machine {
        kernel: &expanded,
        options,
        vars: vec![None; expanded.vars.len()],
        axes: vec![0; expanded.axes as usize],
        memory,
        params: buffer_of.to_vec(),
        locals,
    };
    m.block(&expanded.body)?;
    for (p, &b) in kernel.params.iter().zip(buffer_of) {
        let mem = &m.memory[b];
        if p.access == Access::Write
            && let Some(i) = mem.stored[..p.len as usize].iter().position(|s| !s)
        {
            return Err(InterpError::NotStored { buffer: p.name.clone(), index: i as u64 });
        }
    }
    for (b, mem) in buffers.iter_mut().zip(m.memory) {
        *b = mem.bytes;
    }
    Ok(())
}

fn check_buffers(kernel: &Kernel, buffers: &[Vec<u8>], buffer_of: &[usize]) -> Result<(), InterpError> {
    if buffer_of.len() != kernel.params.len() {
        let (n, m) = (kernel.params.len(), buffer_of.len());
        return Err(InterpError::Buffers(format!("kernel `{}` takes {n} buffers, found {m}", kernel.name)));
    }
    for (p, &b) in kernel.params.iter().zip(buffer_of) {
        let expected = p.len as usize * p.dtype.size();
        match buffers.get(b) {
            Some(buffer) if buffer.len() == expected => {}
            Some(buffer) => {
                let found = buffer.len();
                return Err(InterpError::Buffers(format!("{} takes {expected} bytes, found {found}", p.name)));
            }
            None => return Err(InterpError::Buffers(format!("buffer {b} of {} does not exist", p.name))),
        }
    }
    Ok(())
}

impl Machine<'_> {
    fn block(&mut self, stmts: &[Stmt]) -> Result<(), InterpError> {
        for s in stmts {
            match s {
                Stmt::Let { var, expr } => {
                    let v = self.expr(expr)?;
                    self.define(*var, v)?;
                }
                Stmt::Store { buf, index, value } => {
                    let v = self.get(*value)?;
                    let (mem, size, at) = self.address(*buf, index)?;
                    let mem = &mut self.memory[mem];
                    mem.bytes[at * size..(at + 1) * size].copy_from_slice(&v.to_le_bytes()[..size]);
                    mem.stored[at] = true;
                }
                Stmt::Loop(l) => self.run_loop(l)?,
                Stmt::If { cond, then } => {
                    if self.get(*cond)? != 0 {
                        self.block(then)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn run_loop(&mut self, l: &Loop) -> Result<(), InterpError> {
        let mut folded: Vec<u64> = l.reductions.iter().map(|r| self.get(r.init)).collect::<Result<_, _>>()?;
        let mut carried: Vec<u64> = l.carried.iter().map(|c| self.get(c.init)).collect::<Result<_, _>>()?;
        for i in 0..l.extent {
            let backwards = self.options.reverse && l.kind != LoopKind::Serial;
            self.axes[l.axis.0 as usize] = if backwards { l.extent - 1 - i } else { i };
            if l.kind == LoopKind::Parallel {
                let locals = self.locals;
                self.memory[locals..].iter_mut().for_each(|m| m.stored.fill(false));
            }
            for (c, value) in l.carried.iter().zip(&carried) {
                self.define(c.param, *value)?;
            }
            self.block(&l.body)?;
            for (c, value) in l.carried.iter().zip(&mut carried) {
                *value = self.get(c.next)?;
            }
            for (r, acc) in l.reductions.iter().zip(&mut folded) {
                let v = self.get(r.value)?;
                let t = self.type_of(r.result)?;
                *acc = scalar::binary(r.op.binary(), t, *acc, v).map_err(InterpError::Operator)?;
            }
        }
        for (r, acc) in l.reductions.iter().zip(folded) {
            self.define(r.result, acc)?;
        }
        for (c, value) in l.carried.iter().zip(carried) {
            self.define(c.result, value)?;
        }
        Ok(())
    }

    fn define(&mut self, var: Var, bits: u64) -> Result<(), InterpError> {
        *self.vars.get_mut(var.0 as usize).ok_or(InterpError::Undefined(var))? = Some(bits);
        Ok(())
    }

    fn get(&self, var: Var) -> Result<u64, InterpError> {
        self.vars.get(var.0 as usize).copied().flatten().ok_or(InterpError::Undefined(var))
    }

    fn type_of(&self, var: Var) -> Result<DType, InterpError> {
        self.kernel.var_type(var).ok_or(InterpError::Undefined(var))
    }

    /// Memory, element size and element number of an access.
    fn address(&self, buf: Buf, index: &Index) -> Result<(usize, usize, usize), InterpError> {
        let (dtype, len) = self
            .kernel
            .buf_type(buf)
            .ok_or_else(|| InterpError::Buffers(format!("{buf:?} does not exist in kernel `{}`", self.kernel.name)))?;
        let mem = match buf {
            Buf::Param(i) => self.params[i as usize],
            Buf::Local(i) => self.locals + i as usize,
        };
        let mut at = i128::from(index.offset);
        for (axis, stride) in &index.terms {
            at += i128::from(self.axes[axis.0 as usize]) * i128::from(*stride);
        }
        for (var, factor) in &index.dynamic {
            at += i128::from(self.get(*var)? as i64) * i128::from(*factor);
        }
        if at < 0 || at >= i128::from(len) {
            return Err(InterpError::OutOfBounds { buffer: self.memory[mem].name.clone(), index: at, len });
        }
        Ok((mem, dtype.size(), at as usize))
    }

    fn expr(&self, expr: &Expr) -> Result<u64, InterpError> {
        let checked = |r: Result<u64, OperatorError>| r.map_err(InterpError::Operator);
        match expr {
            Expr::Const(c) => Ok(c.bits),
            Expr::Load { buf, index } => {
                let (mem, size, at) = self.address(*buf, index)?;
                let mem = &self.memory[mem];
                if !mem.stored[at] {
                    return Err(InterpError::Uninitialized { buffer: mem.name.clone(), index: at as u64 });
                }
                let mut bytes = [0; 8];
                bytes[..size].copy_from_slice(&mem.bytes[at * size..(at + 1) * size]);
                Ok(u64::from_le_bytes(bytes))
            }
            Expr::Axis(a) => Ok(self.axes[a.0 as usize]),
            Expr::Unary(op, x) => checked(scalar::unary(*op, self.type_of(*x)?, self.get(*x)?)),
            Expr::Binary(op, x, y) => checked(scalar::binary(*op, self.type_of(*x)?, self.get(*x)?, self.get(*y)?)),
            Expr::Compare(d, x, y) => {
                Ok(u64::from(scalar::compare(*d, self.type_of(*x)?, self.get(*x)?, self.get(*y)?)))
            }
            Expr::Select(p, a, b) => {
                let (p, a, b) = (self.get(*p)?, self.get(*a)?, self.get(*b)?);
                Ok(if p != 0 { a } else { b })
            }
            Expr::Convert(t, x) => Ok(scalar::convert(*t, self.type_of(*x)?, self.get(*x)?)),
            Expr::Bitcast(_, x) => self.get(*x),
            Expr::Fma(x, y, z) => {
                let (a, b, c) = (self.get(*x)?, self.get(*y)?, self.get(*z)?);
                Ok(scalar::fma(self.type_of(*x)?, a, b, c, self.options.fused_fma))
            }
        }
    }
}
