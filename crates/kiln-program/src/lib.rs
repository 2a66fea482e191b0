//! Programs: what a compiled graph is, besides its machine code and weights.
//!
//! A [`Program`] lists [`Step`]s (kernel launches, calls, control flow) over buffers with known places. It is plain data
//! and knows nothing of the kernels' code: an artifact holds it, the CPU code generator turns its steps into one entry
//! function, a GPU's runtime walks them. What a graph takes and gives is its [`Signature`], with named dimensions; a program has
//! a [`BoundSignature`], with sizes. [`CompiledProgram`] adds [`Code`] for one [`Target`] and the contents of the constants.
//! Slot pointers are laid out as [`Program::slot_index`] says.
//!
//! ```
//! use kiln_ir::text;
//! use kiln_program::Signature;
//! let func = text::parse(
//!     "func @double(%x: f32[batch, 4]) -> (f32[batch, 4]) {
//!        %y = add %x, %x : f32[batch, 4]
//!        return %y
//!      }",
//! )?;
//! let signature = Signature::of(&func);
//! assert_eq!(signature.inputs[0].ty().to_string(), "f32[batch, 4]");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blob;
pub mod call;
mod check;
mod code;
mod program;
mod signature;
mod step;
pub mod target;
mod text;

pub use blob::Blob;
pub use call::{Call, CallInfo};
pub use check::InvalidProgram;
pub use code::{Code, CompiledProgram, NativeCode, PtxArg, PtxCode, PtxLaunch};
pub use program::{Buffer, BufferId, KernelInfo, Program, Slot};
pub use signature::{BoundPort, BoundSignature, BoundVariable, Port, Signature, Variable};
pub use step::{Step, walk};
pub use target::{CpuTarget, CudaTarget, Target};
