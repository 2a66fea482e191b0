//! kiln: a define-and-run static graph compiler.
//!
//! Build a graph with the builder API, compile it once, run it many times, export it as an artifact that runs without the
//! compiler.
//!
//! ```
//! use kiln::prelude::*;
//!
//! let g = Graph::new("line");
//! let x = g.placeholder::<f32>("x", dims!["batch", 1]);
//! let y = g.placeholder::<f32>("y", dims!["batch", 1]);
//! let w = g.variable("w", init::zeros([1, 1]));
//! let b = g.variable("b", init::zeros([1]));
//! let loss = (x.dot(&w) + &b - &y).square().mean(..).named("loss");
//! let step = optim::Sgd::new(0.1).minimize(&loss);
//! let exe = Compiler::cpu().compile(&g.function([&loss]).updates(step))?;
//!
//! let mut session = Session::new(&exe)?;
//! let xs = Tensor::from_vec([4, 1], vec![0.0f32, 1.0, 2.0, 3.0])?;
//! let ys = Tensor::from_vec([4, 1], vec![1.0f32, 3.0, 5.0, 7.0])?;
//! for _ in 0..200 {
//!     session.run(&[("x", &xs), ("y", &ys)])?;
//! }
//! assert!((session.get("w")?.item::<f32>()? - 2.0).abs() < 0.05);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With `default-features = false` only the runtime is built: [`Executable::load`] and [`Session`].

pub use kiln_ir as ir;
pub use kiln_program as program;
pub use kiln_runtime as runtime;
pub use kiln_runtime::{Executable, LoadOptions, Outputs, RunError, Session, TensorView, TensorViewMut, Trust};

#[cfg(feature = "compiler")]
mod compiler;
#[cfg(feature = "compiler")]
pub mod debug;
#[cfg(feature = "compiler")]
mod error;

#[cfg(feature = "compiler")]
pub use {
    compiler::{CompileReport, Compiled, CompiledCode, Compiler},
    error::CompileError,
    kiln_builder as builder, kiln_cpu as cpu, kiln_interp as interp, kiln_loops as loops, kiln_lower as lower,
    kiln_nn as nn, kiln_optimizer as optimizer, kiln_plan as plan, kiln_stablehlo as stablehlo,
};

/// What most programs need: `use kiln::prelude::*`.
pub mod prelude {
    pub use kiln_ir::{DType, Dim, Element, Shape, Tensor, TensorError, dims};
    pub use kiln_runtime::{Executable, LoadOptions, Outputs, RunError, Session, TensorView, TensorViewMut, Trust};

    #[cfg(feature = "compiler")]
    pub use crate::{CompileError, Compiler};
    #[cfg(feature = "compiler")]
    pub use kiln_builder::{Expr, FunctionSpec, Graph, Updates, init};
    #[cfg(feature = "compiler")]
    pub use kiln_nn::optim;
}

/// The README's example, compiled and run as a documentation test.
#[cfg(all(doctest, feature = "compiler"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
