//! The loop IR: how one kernel computes.
//!
//! A [`Kernel`] is a loop nest over buffers of known size with affine loads and stores, scalar expressions in SSA form,
//! reductions with a combiner, values carried through serial loops, and local scratch. Shapes are concrete. Every code generator lowers
//! it ([`Verified`]: what keeps the rules of [`verify`]) and shares its analyses.
//! It knows neither graphs nor targets.

pub mod analysis;
pub mod builder;
pub mod interp;
pub mod ir;
pub mod math;
pub mod scalar;
pub mod simplify;
pub mod text;
pub mod types;
mod verified;
pub mod verify;

pub use builder::KernelBuilder;
pub use ir::{
    Access, AxisId, Buf, Carry, Const, Expr, Index, Kernel, Local, Loop, LoopKind, Param, Reduction, Stmt, Var,
};
pub use types::{is_loop_type, legalized};
pub use verified::Verified;
