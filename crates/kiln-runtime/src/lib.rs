//! The runtime of kiln: it loads and runs compiled programs, and links no compiler.
//!
//! - [`Executable`]: a compiled graph; `Send + Sync`, cheap to clone, run by many threads at once.
//! - [`Session`]: an executable with the values of its variables, updated in place by every run.
//! - [`Device`]: what an executable asks of the machine that runs it; [`HostDevice`] is the CPU.
//! - [`Tensor`] and the borrowed [`TensorView`]/[`TensorViewMut`]: what goes in and out.
//!
//! ```no_run
//! use kiln_runtime::{Executable, Tensor, Trust};
//! let exe = Executable::load("model.kiln", Trust::RunsItsCode)?;
//! let x = Tensor::from_vec([1, 64], vec![0.0f32; 64])?;
//! let out = exe.run(&[("x", &x)])?;
//! println!("{:?}", out["probs"].as_slice::<f32>()?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod artifact;
#[cfg(feature = "safetensors")]
mod checkpoint;
pub mod device;
mod entry;
mod error;
mod executable;
mod file;
pub mod host;
pub mod initialize;
mod outputs;
mod session;
mod view;

#[cfg(feature = "ndarray")]
pub mod ndarray;
#[cfg(feature = "npy")]
pub mod npy;

pub use artifact::{LoadOptions, Trust};
pub use device::{Device, DeviceError};
pub use entry::{MemoryReport, ProgramReport, Specialize, Specialized};
pub use error::RunError;
pub use executable::{Executable, ExecutableBuilder};
pub use host::HostDevice;
pub use kiln_artifact::ArtifactError;
pub use kiln_ir::{DType, Element, Tensor, TensorError};
pub use kiln_kernels::available_parallelism;
pub use kiln_program::{Port, Signature, Variable};
pub use outputs::Outputs;
pub use session::Session;
pub use view::{TensorView, TensorViewMut};
