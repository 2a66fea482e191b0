//! The text form: prints, parses back to an equal function, and is verified on the way in.
//!
//! ```text
//! func @predict(%x: f32[batch, 784], %w: var f32[784, 10], %b: var f32[10]) -> (probs: f32[batch, 10]) {
//!   %0 = dot_general %x, %w, contract = [1] x [0] : f32[batch, 10]
//!   %1 = broadcast_in_dim %b, dims = [1] : f32[batch, 10]
//!   %2 = add %0, %1 : f32[batch, 10]
//!   return %2
//! }
//! ```
//!
//! The grammar is in `graph-spec/grammar.md`. Every value has its type; nested functions are indented blocks; names that the
//! user gave nodes follow the type as a string; source lines are printed on demand.

mod attrs;
mod lex;
mod literal;
mod parse;
mod print;

use crate::diag::Diagnostics;
use crate::func::Func;

/// What [`print_with`] shows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PrintOptions {
    /// Source lines: `loc("src/model.rs":41:22)` at inputs and nodes.
    pub locations: bool,
    /// Constants of more elements print as `dense<...>`, for people: such text does not parse back.
    pub elide_above: Option<usize>,
}

/// The text of a function; [`parse`] gives an equal function back.
///
/// Source lines are left out, so the parsed function has none. See [`print_with`].
pub fn print(func: &Func) -> String {
    print_with(func, &PrintOptions::default())
}

/// The text of a function.
pub fn print_with(func: &Func, options: &PrintOptions) -> String {
    print::function(func, options)
}

/// Reads one function and verifies it.
///
/// # Errors
/// `text.syntax` with line, column and the line itself at the first syntax error; otherwise every violated constraint.
///
/// # Example
/// ```
/// let text = "func @f(%x: f32[n]) -> (y: f32[n]) {\n  %0 = negate %x : f32[n]\n  return %0\n}\n";
/// let f = kiln_ir::text::parse(text)?;
/// assert_eq!(kiln_ir::text::print(&f), text);
/// # Ok::<(), kiln_ir::Diagnostics>(())
/// ```
pub fn parse(text: &str) -> Result<Func, Diagnostics> {
    parse_named("<text>", text)
}

/// [`parse`], with the file's name for diagnostics.
///
/// # Errors
/// As [`parse`].
pub fn parse_named(file: &str, text: &str) -> Result<Func, Diagnostics> {
    parse::one(file, text)
}

/// Reads every function of a file.
///
/// # Errors
/// As [`parse`].
pub fn parse_all(file: &str, text: &str) -> Result<Vec<Func>, Diagnostics> {
    parse::all(file, text)
}
