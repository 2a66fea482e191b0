//! The text form of kernels: prints, and parses back to an equal kernel.
//!
//! ```text
//! kernel "row_sum" {
//!   param p0 "x": f32[64] read
//!   param p1 "y": f32[8] write
//!   local l0: f32[16]
//!   axes 2
//!   parallel i0 < 8 {
//!     %0: f32 = const 0.0
//!     vector i1 < 8 {
//!       %1: f32 = load p0[8*i0 + i1]
//!     } reduce %2: f32 = add(%0, %1)
//!     store p1[i0] = %2
//!   }
//! }
//! ```
//!
//! Other statements: `serial i2 < 4 { .. }`, `if %3 { .. }`, and serial loops that carry values:
//!
//! ```text
//!     serial i2 < 4 carry %3: f32 = %0, %4: i64 = %1 {
//!       ...
//!     } yield %7: f32 = %5, %8: i64 = %6
//! ```
//!
//! where the body starts with `%3` and `%4` (at first `%0` and `%1`), hands on `%5` and `%6`, and the last of them are `%7` and
//! `%8`. Expressions: `const 1.5`, `const 0x7fc00000` (bits),
//! `load l0[3*i0 - i1 + 2*%4 + 7]`, `axis i0`, every unary and binary operator by its StableHLO name (`tanh %1`, `add %1, %2`),
//! `compare LT %1, %2`, `select %3, %1, %2`, `convert %1`, `bitcast %1`, `fma %1, %2, %0`. The type after the colon is the
//! result's. Variables that nothing defines are listed as `unused %5: f32`. `//` starts a comment.

mod lex;
mod parse;
mod print;

pub use lex::ParseError;
pub use parse::parse;
pub use print::print;
