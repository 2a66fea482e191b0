//! The Rust API that records graphs.
//!
//! A [`Graph`] records; an [`Expr`] stands for a value in it. Operators and methods never panic and need no `?`: a mistake is
//! recorded with the caller's source line, and [`FunctionSpec::finish`] returns all of them together.
//!
//! ```
//! use kiln_builder::{Graph, dims, init};
//! let g = Graph::new("mlp");
//! let x = g.placeholder::<f32>("x", dims!["batch", 784]);
//! let w = g.variable("w", init::he_normal([784, 10]));
//! let b = g.variable("b", init::zeros([10]));
//! let probs = (x.dot(&w) + &b).softmax(-1).named("probs");
//! let func = g.function([&probs]).finish().unwrap();
//! assert_eq!(func.outputs[0].name, "probs");
//! ```

mod complex;
mod control;
mod conv;
mod dot;
mod expr;
mod function;
mod generated;
mod grad;
mod graph;
mod index;
pub mod init;
mod linalg;
mod nn_ops;
mod operand;
mod ops_elementwise;
mod ops_overload;
mod ops_shape;
mod random;
mod reduce;
mod scalar_functions;
mod sort;
mod tree;

pub use conv::{Conv, Layout, Padding, Pool};
pub use expr::Expr;
pub use function::{FunctionSpec, Updates};
pub use grad::{custom_vjp, grad, jvp, value_and_grad, vjp};
pub use graph::{Graph, Here, ScopeGuard, UpdateWhen};
pub use index::{SliceItem, step};
pub use kiln_ir::{DType, Diagnostic, Diagnostics, Dim, Element, Shape, Tensor, TensorType, dims};
pub use operand::{IntoAxes, IntoTensor, Operand, ScalarValue, Side};
pub use ops_elementwise::broadcast_shapes;
pub use random::Rng;
pub use reduce::reducer_identity;
pub use tree::ExprTree;
