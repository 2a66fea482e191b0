//! Graphs as StableHLO text, for XLA, IREE and whatever else reads it.
//!
//! [`write()`] gives a module with `func.func public @main`: its arguments are the function's inputs in order (feeds and
//! variables), its results the function's outputs in order (fetches and the new values of variables), so that a training step
//! is a function from old to new state. Attributes say which is which: `kiln.variable`, `kiln.fetch`, `kiln.update`.
//!
//! Operators are written in the pretty form where StableHLO has one. What StableHLO leaves open or defines otherwise is
//! written so that it means what kiln's numerics contract says:
//! - `erf` is `chlo.erf`; the cube root of a complex number is a power, since XLA knows only real ones.
//! - Sums and products of f16, bf16 and smaller floats are taken in f32 and rounded once.
//! - An initial value that is no identity of its reduction is combined afterwards, since StableHLO may use it several times.
//! - `argmax` and `argmin` are reductions of value and position: the first of equal elements, NaN before everything.
//! - Values that a region captures become further operands; constants move into the region.
//! - The triangle that `cholesky` does not define is set to zero.
//! - Positions of a type too small for the dimension they index are widened first.
//! - Integer divisions of literals are written as their results: XLA's constant folding dies of a zero divisor.
//! - f32 and f64 products ask for `HIGHEST` precision, since the default of some targets is bf16; see
//!   [`WriteOptions::precision`].
//!
//! What stays open: integer powers, where XLA looks at the low six bits of an exponent and takes a negative power of 0 for 0
//! (kiln: all bits, and -1 as for a division by 0); which of several updates of one element `scatter` keeps without a
//! combiner (kiln: the last; XLA CPU too); the derivative of a composite, which StableHLO cannot hold.
//!
//! ```
//! use kiln_builder::{Graph, dims};
//! use kiln_stablehlo::ToStableHlo;
//! let g = Graph::new("double");
//! let x = g.placeholder::<f32>("x", dims![3]);
//! let text = g.function([]).named("y", &(&x + &x)).to_stablehlo()?;
//! assert!(text.contains("%0 = stablehlo.add %x, %x : tensor<3xf32>"), "{text}");
//! # Ok::<(), kiln_stablehlo::WriteError>(())
//! ```

mod data;
mod elementwise;
mod emit;
mod lift;
mod linalg;
mod literal;
mod names;
mod products;
mod reductions;
mod regions;
mod scatter;
mod types;
mod windows;

pub use lift::lift_constants;

use emit::Writer;
use kiln_builder::FunctionSpec;
use kiln_ir::{Diagnostics, Func, InputKind, Loc, OutputKind};
use names::{identifier, quoted};
use std::fmt;
use types::tensor;

/// What the text looks like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WriteOptions {
    /// Writes the user's source line (and name) of every operation as `loc(...)`. Off unless told otherwise.
    pub locations: bool,
    /// The precision that products of f32 and f64 ask for.
    pub precision: Precision,
    /// Most elements of a literal that is written as a list; larger ones are written as bytes. 100 as in MLIR.
    pub list_limit: usize,
    /// Lets the target reuse the memory of a variable for its new value (`tf.aliasing_output`, as JAX writes donated
    /// arguments). Off unless told otherwise: the caller's buffers are then gone after a call.
    pub alias_updates: bool,
}

impl Default for WriteOptions {
    fn default() -> WriteOptions {
        WriteOptions { locations: false, precision: Precision::Highest, list_limit: 100, alias_updates: false }
    }
}

/// How exact `dot_general` and `convolution` of f32 and f64 have to be. Only targets with reduced-precision units care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Precision {
    /// What the target likes best: bf16 on TPUs.
    Default,
    /// In between.
    High,
    /// Full precision: what kiln computes.
    Highest,
}

impl Precision {
    /// The word in the text.
    fn word(self) -> &'static str {
        match self {
            Precision::Default => "DEFAULT",
            Precision::High => "HIGH",
            Precision::Highest => "HIGHEST",
        }
    }
}

/// Why a function could not be written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// Mistakes in the graph.
    Graph(Diagnostics),
    /// Named dimensions that have no size yet.
    Symbolic {
        /// Name of the function.
        function: String,
        /// The names.
        dims: Vec<String>,
    },
    /// Something that StableHLO cannot say.
    Unsupported {
        /// The operator.
        op: String,
        /// What about it.
        what: String,
        /// The user's source line.
        loc: Loc,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::Graph(d) => f.write_str(&kiln_ir::diag::render(d)),
            WriteError::Symbolic { function, dims } => write!(
                f,
                "`{function}` has dimensions without a size: {}; bind them first (kiln_ir::specialize)",
                dims.join(", ")
            ),
            WriteError::Unsupported { op, what, loc } => write!(f, "{op}: {what} ({loc})"),
        }
    }
}
impl std::error::Error for WriteError {}

impl From<Diagnostics> for WriteError {
    fn from(d: Diagnostics) -> WriteError {
        WriteError::Graph(d)
    }
}

/// Writes a function as the `@main` of a StableHLO module.
///
/// # Errors
/// A function that does not verify; dimensions without a size; what StableHLO cannot say.
pub fn write(func: &Func, options: &WriteOptions) -> Result<String, WriteError> {
    kiln_ir::verify::verify(func)?;
    let symbols = func.symbols();
    if !symbols.is_empty() {
        let dims = symbols.iter().map(|s| s.to_string()).collect();
        return Err(WriteError::Symbolic { function: func.name.clone(), dims });
    }
    let mut writer = Writer::new(options);
    let main = main_function(&mut writer, func)?;
    let name = identifier(if func.name.is_empty() { "main" } else { &func.name });
    let mut text = format!("module @{name} {{\n{main}");
    writer.functions.iter().for_each(|f| text.push_str(f));
    text.push_str("}\n");
    Ok(text)
}

/// Writing as a method: `g.function([&loss]).to_stablehlo()?`.
pub trait ToStableHlo {
    /// The StableHLO text with these options.
    ///
    /// # Errors
    /// As [`write()`].
    fn to_stablehlo_with(&self, options: &WriteOptions) -> Result<String, WriteError>;

    /// The StableHLO text.
    ///
    /// # Errors
    /// As [`write()`].
    fn to_stablehlo(&self) -> Result<String, WriteError> {
        self.to_stablehlo_with(&WriteOptions::default())
    }
}

impl ToStableHlo for Func {
    fn to_stablehlo_with(&self, options: &WriteOptions) -> Result<String, WriteError> {
        write(self, options)
    }
}

impl ToStableHlo for FunctionSpec {
    fn to_stablehlo_with(&self, options: &WriteOptions) -> Result<String, WriteError> {
        write(&self.finish()?, options)
    }
}

/// Longest list of parameters that stays on one line.
const ONE_LINE: usize = 100;

fn main_function(w: &mut Writer<'_>, func: &Func) -> Result<String, WriteError> {
    let update_of = |input: usize| func.outputs.iter().position(|o| o.kind == OutputKind::Update(input));
    let args = w.arguments(func);
    let mut params = Vec::with_capacity(args.len());
    for (i, (arg, input)) in args.iter().zip(&func.inputs).enumerate() {
        let mut attrs = Vec::new();
        match &input.kind {
            InputKind::Variable(_) => attrs.push(format!("kiln.variable = {}", quoted(&input.name))),
            InputKind::Feed if arg.name[1..] != input.name => {
                attrs.push(format!("kiln.feed = {}", quoted(&input.name)));
            }
            InputKind::Feed => {}
        }
        if let Some(output) = update_of(i).filter(|_| w.options.alias_updates) {
            attrs.push(format!("tf.aliasing_output = {output} : i32"));
        }
        let loc = w.location(&input.loc, Some(&input.name));
        params.push(format!("{}: {}{}{loc}", arg.name, tensor(&arg.ty), braces(&attrs)));
    }
    let result = |o: &kiln_ir::Output| {
        let attr = match o.kind {
            OutputKind::Fetch => format!("kiln.fetch = {}", quoted(&o.name)),
            OutputKind::Update(i) => format!("kiln.update = {}", quoted(&func.inputs[i].name)),
        };
        format!("{}{}", tensor(func.ty(o.value)), braces(&[attr]))
    };
    let results: Vec<String> = func.outputs.iter().map(result).collect();
    let head = format!("  func.func public @main({}) -> ({})", list(&params), list(&results));
    w.function_text(func, args, head)
}

/// A parameter list: one line, or a line for each when that would be long.
fn list(items: &[String]) -> String {
    if items.iter().map(|i| i.len() + 2).sum::<usize>() <= ONE_LINE {
        return items.join(", ");
    }
    format!("\n      {}\n  ", items.join(",\n      "))
}

fn braces(attrs: &[String]) -> String {
    if attrs.is_empty() { String::new() } else { format!(" {{{}}}", attrs.join(", ")) }
}
