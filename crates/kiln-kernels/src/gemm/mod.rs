//! The matrix product engine behind dot and convolution.
//!
//! Structure after Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), with the roles
//! chosen for row-major results: a micro-kernel ([`tile`]) updates a small tile of C in registers from a panel of A
//! (a few rows) and a panel of B (a few vectors of columns). Operands are copied into panels ([`pack`]) block by block
//! unless they are small enough to be read in place. A block's panels are packed by all threads together before its
//! tiles are computed, so the workspace and the order of summation depend on the problem only.

pub(crate) mod blocking;
mod driver;
pub(crate) mod gemv;
pub(crate) mod map;
pub(crate) mod pack;
mod portable;
pub(crate) mod problem;
pub(crate) mod tile;
#[cfg(target_arch = "x86_64")]
mod x86;
