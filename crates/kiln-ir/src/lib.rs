//! The graph IR of kiln: what to compute.
//!
//! A [`Func`] is an SSA graph over tensors whose operators follow StableHLO in name and meaning. Nodes are stored in
//! topological order (an operand always has a smaller [`NodeId`]), so a function is acyclic by construction and every pass is
//! one walk. Control flow holds nested functions that are isolated from above: whatever they use arrives as a parameter.
//!
//! This crate knows nothing of targets, buffers or threads.

pub mod diag;
pub mod dim;
pub mod dtype;
pub mod extract;
pub mod float;
pub mod func;

pub mod infer;
pub mod init;
pub mod layout;
pub mod loc;
pub mod mini;
pub mod op;
pub mod petgraph;
pub mod rewrite;
pub mod shape;
pub mod specialize;
pub mod stage;
pub mod structural;
pub mod tensor;
pub mod text;
pub mod users;
pub mod verify;

pub use diag::{Diagnostic, Diagnostics};
pub use dim::Dim;
pub use dtype::{DType, DTypeClass, DTypeSet, Element};
pub use extract::{Extracted, NewInput, Replaced, UnusedInputs};
pub use func::{Func, Input, InputKind, Node, NodeId, Output, OutputKind, Value};
pub use init::Initializer;
pub use loc::Loc;
pub use mini::{MiniFormat, MiniSpecials};
pub use num_complex::Complex;
pub use op::{BinaryOp, Op, OpKind, UnaryOp};
pub use shape::{Shape, TensorType};
pub use stage::{CallShapes, Legal, Verified};
pub use tensor::{Tensor, TensorError};
pub use users::{Use, Users};
