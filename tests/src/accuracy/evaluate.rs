//! Functions run on points: compiled, or by the interpreter.

use super::complex::{self, ComplexFunction};
use super::format::{F32, Format};
use super::functions::Function;
use kiln::cpu::CpuOptions;
use kiln::ir::Func;
use kiln::prelude::*;

/// How a function is evaluated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Backend {
    /// Compiled for this machine.
    Compiled,
    /// Compiled for a machine without fused multiply-add.
    WithoutFma,
    /// The reference interpreter.
    Interpreter,
}

impl Backend {
    /// Every backend of this machine.
    pub fn all() -> Vec<Backend> {
        let mut all = vec![Backend::Compiled, Backend::Interpreter];
        if cfg!(target_arch = "x86_64") {
            all.insert(1, Backend::WithoutFma);
        }
        all
    }

    fn engine(self, func: Func) -> Result<Engine, String> {
        if self == Backend::Interpreter {
            return Ok(Engine::Interpreted(Box::new(func)));
        }
        let names = func.inputs.iter().map(|i| i.name.clone()).collect();
        let exe = self.compiler().compile_func(func).map_err(|e| e.to_string())?;
        Ok(Engine::Compiled(Box::new(exe), names))
    }

    /// The compiler of this backend.
    fn compiler(self) -> Compiler {
        let mut options = CpuOptions { verify: false, ..CpuOptions::default() };
        if self == Backend::WithoutFma {
            options.target =
                kiln::cpu::CpuTarget::with_features(["sse3", "ssse3", "sse4.1", "sse4.2", "popcnt"]).expect("known");
        }
        Compiler::cpu().threads(1).codegen(options)
    }
}

enum Engine {
    /// With the names of its inputs.
    Compiled(Box<Executable>, Vec<String>),
    Interpreted(Box<Func>),
}

/// A function for arrays of a fixed length.
pub struct Evaluator {
    engine: Engine,
    /// Of an element, or of the parts of a complex one.
    format: Format,
    dtype: DType,
    /// Parts of an element of the operands, and of the result.
    parts: (usize, usize),
    arity: usize,
    n: usize,
}

impl Evaluator {
    /// Compiles a function of `n` elements.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn new(f: &Function, format: Format, backend: Backend, n: usize) -> Result<Evaluator, String> {
        let named = |e: String| format!("{} on {}: {e}", f.name, format.name);
        let engine = f.graph(format, n).and_then(|func| backend.engine(func)).map_err(named)?;
        Ok(Evaluator { engine, format, dtype: format.dtype, parts: (1, 1), arity: f.arity(), n })
    }

    /// Compiles a complex function of `n` elements; `format` is that of the parts.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn of_complex(
        f: &ComplexFunction,
        dtype: &str,
        format: Format,
        backend: Backend,
        n: usize,
    ) -> Result<Evaluator, String> {
        let named = |e: String| format!("{} on {dtype}: {e}", f.name);
        let func = kiln::ir::text::parse(&complex::text(f, dtype, n)).map_err(|e| named(e.to_string()))?;
        let engine = backend.engine(func).map_err(named)?;
        let dtype = if format == F32 { DType::C64 } else { DType::C128 };
        Ok(Evaluator { engine, format, dtype, parts: (2, if f.real { 1 } else { 2 }), arity: f.arity, n })
    }

    /// The results at points given as bit patterns (the two parts of a complex number one after the other), one list per
    /// operand, any number of them.
    ///
    /// # Errors
    /// What the run reports.
    pub fn run(&self, points: &[Vec<u64>]) -> Result<Vec<u64>, String> {
        let (parts_in, parts_out) = self.parts;
        let total = points[0].len() / parts_in;
        let mut out = Vec::with_capacity(total * parts_out);
        for start in (0..total).step_by(self.n) {
            let end = (start + self.n).min(total);
            let chunk = start * parts_in..end * parts_in;
            let inputs: Vec<Tensor> =
                (0..self.arity).map(|i| self.tensor(&points[i][chunk.clone()])).collect::<Result<_, _>>()?;
            let result = match &self.engine {
                Engine::Interpreted(f) => kiln::interp::eval(f, &inputs).map_err(|e| e.to_string())?.swap_remove(0),
                Engine::Compiled(exe, names) => {
                    let feeds: Vec<(&str, &Tensor)> = names.iter().map(String::as_str).zip(&inputs).collect();
                    exe.run(&feeds).map_err(|e| e.to_string())?.into_vec().swap_remove(0)
                }
            };
            out.extend(self.elements(result.bytes()).take((end - start) * parts_out));
        }
        Ok(out)
    }

    /// The points as a tensor, filled up with the first.
    fn tensor(&self, points: &[u64]) -> Result<Tensor, String> {
        let parts = self.parts.0;
        let mut bytes = Vec::with_capacity(self.n * parts * self.format.bytes);
        for i in 0..self.n * parts {
            let bits = points.get(i).unwrap_or(&points[i % parts]);
            bytes.extend_from_slice(&bits.to_le_bytes()[..self.format.bytes]);
        }
        Tensor::from_bytes(self.dtype, [self.n], &bytes).map_err(|e| e.to_string())
    }

    fn elements<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = u64> + use<'a> {
        bytes.chunks_exact(self.format.bytes).map(|c| {
            let mut b = [0; 8];
            b[..c.len()].copy_from_slice(c);
            u64::from_le_bytes(b)
        })
    }
}
