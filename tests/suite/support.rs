//! What several suites need: small models, data, files that go away.

use kiln::builder::Conv;
use kiln::prelude::*;
use kiln_testing::Rng;
use std::path::{Path, PathBuf};

/// A file name in the system's temporary directory; the file goes when the value does.
pub struct TempFile(PathBuf);

impl TempFile {
    pub fn new(name: &str) -> TempFile {
        TempFile(std::env::temp_dir().join(format!("kiln-tests-{}-{name}", std::process::id())))
    }
    pub fn path(&self) -> &Path {
        &self.0
    }
    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.0).expect("the file was written")
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // A file that was never written is as good as one removed.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Uniform f32 in [-1, 1).
pub fn floats(seed: u64, shape: &[usize]) -> Tensor {
    let mut rng = Rng::new(seed);
    let data = (0..shape.iter().product()).map(|_| (rng.unit() * 2.0 - 1.0) as f32).collect();
    Tensor::from_vec(shape, data).expect("as many as the shape has")
}

/// i32 in [0, n).
pub fn labels(seed: u64, shape: &[usize], n: usize) -> Tensor {
    let mut rng = Rng::new(seed);
    let data = (0..shape.iter().product()).map(|_| rng.below(n) as i32).collect();
    Tensor::from_vec(shape, data).expect("as many as the shape has")
}

/// Logits of a small network with a convolution, a product, a softmax; `x` is `[batch, 1, 8, 8]`.
pub fn network(g: &Graph, x: &Expr) -> Expr {
    let k = g.variable("k", init::he_normal([6, 1, 3, 3]).seed(1));
    let w = g.variable("w", init::he_normal([384, 10]).seed(2));
    let b = g.variable("b", init::zeros([10]));
    let h = x.conv(&k, &Conv::nchw().pad([(1, 1); 2])).relu();
    h.reshape([x.dim(0), 384i64.into()]).dot(&w) + b
}

/// The network with a named batch size: `probs` of `x`.
pub fn predictor() -> FunctionSpec {
    let g = Graph::new("predictor");
    let x = g.placeholder::<f32>("x", dims!["batch", 1, 8, 8]);
    let probs = network(&g, &x).softmax(-1).named("probs");
    g.function([&probs])
}

/// A training step of the network for this batch size: `loss` of `x` and `y`.
pub fn trainer(batch: usize) -> FunctionSpec {
    let g = Graph::new("trainer");
    let x = g.placeholder::<f32>("x", [batch, 1, 8, 8]);
    let y = g.placeholder::<i32>("y", [batch]);
    let loss = network(&g, &x).softmax_cross_entropy(&y).mean(..).named("loss");
    let step = optim::Adam::new(1e-2).minimize(&loss);
    g.function([&loss]).updates(step)
}

/// The bytes of all outputs.
pub fn bits(outputs: Outputs) -> Vec<Vec<u8>> {
    outputs.into_vec().iter().map(|t| t.bytes().to_vec()).collect()
}

/// Runs something and turns a panic into its message.
pub fn caught<R>(f: impl FnOnce() -> R) -> Result<R, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or(panic.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_else(|| "a panic".into())
    })
}
