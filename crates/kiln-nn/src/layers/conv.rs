//! Convolutions and pooling.

use super::{Params, along, checked, full_name};
use kiln_builder::{Conv, Expr, Graph, Layout, Pool, Shape, init};

/// A convolution with bias in 1, 2 or 3 spatial dimensions: as many as the kernel has sizes. Initially the kernel is Glorot
/// uniform, the bias zero.
///
/// ```
/// use kiln_builder::{Conv, Graph, dims};
/// use kiln_nn::layers::Convolution;
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", 3, 32, 32]);
/// let conv = Convolution::new(&g, "conv1", 3, 16, [3, 3], Conv::nchw().same().stride([2, 2]));
/// assert_eq!(conv.apply(&x).ty().to_string(), "f32[batch, 16, 16, 16]");
/// ```
#[derive(Clone, Debug)]
pub struct Convolution {
    name: String,
    channels: usize,
    w: Expr,
    b: Option<Expr>,
    options: Conv,
}

impl Convolution {
    /// A convolution of f32 with bias; `options` gives layout, strides, padding, dilations and groups.
    #[track_caller]
    pub fn new(
        g: &Graph,
        name: &str,
        inputs: usize,
        outputs: usize,
        kernel: impl AsRef<[usize]>,
        options: Conv,
    ) -> Convolution {
        Convolution::with(g, name, inputs, outputs, kernel, options, &Params::default())
    }

    /// [`Convolution::new`] with other variables.
    #[track_caller]
    pub fn with(
        g: &Graph,
        name: &str,
        inputs: usize,
        outputs: usize,
        kernel: impl AsRef<[usize]>,
        options: Conv,
        params: &Params,
    ) -> Convolution {
        let _here = g.here();
        let _scope = g.enter(name);
        let kernel = kernel.as_ref();
        let groups = options.group_count().max(1);
        let each = inputs / groups;
        let sizes: Vec<usize> = match options.layout() {
            Layout::ChannelsFirst => [&[outputs, each], kernel].concat(),
            Layout::ChannelsLast => [kernel, &[each, outputs]].concat(),
        };
        let field: usize = kernel.iter().product();
        let default = |s: Shape| init::glorot_uniform(s).fans(field * each, field * outputs / groups);
        let w = params.weight(g, "w", Shape::from_sizes(&sizes), default);
        let b = params.bias_of(g, "b", outputs);
        Convolution { name: full_name(&w, "w"), channels: inputs, w, b, options }
    }

    /// Applies it to `[batch, channels, spatial...]` or, in the other layout, `[batch, spatial..., channels]`.
    #[track_caller]
    pub fn apply(&self, x: &Expr) -> Expr {
        let _here = x.graph().here();
        let channel = channel_axis(&self.options);
        if checked(&self.name, "channels", x, channel, self.channels).is_none() {
            return x.graph().poisoned();
        }
        let y = x.conv(&self.w, &self.options);
        match &self.b {
            Some(b) if !y.is_poisoned() => {
                let axis = if channel < 0 { y.rank() - 1 } else { 1 };
                &y + along(b, y.rank(), axis)
            }
            _ => y,
        }
    }

    /// The kernel: `[out, in / groups, spatial...]`, or `[spatial..., in / groups, out]` with channels last.
    pub fn kernel(&self) -> &Expr {
        &self.w
    }

    /// The bias `[out]`.
    pub fn bias(&self) -> Option<&Expr> {
        self.b.as_ref()
    }
}

fn channel_axis(options: &Conv) -> i64 {
    match options.layout() {
        Layout::ChannelsFirst => 1,
        Layout::ChannelsLast => -1,
    }
}

/// The largest element of each window, as a layer; windows do not overlap unless the options give strides.
#[derive(Clone, Debug)]
pub struct MaxPool {
    window: Vec<i64>,
    options: Pool,
}

impl MaxPool {
    /// Windows of this size.
    pub fn new(window: impl Into<Vec<i64>>, options: Pool) -> MaxPool {
        MaxPool { window: window.into(), options }
    }

    /// Applies it to an image batch in the layout of the options.
    #[track_caller]
    pub fn apply(&self, x: &Expr) -> Expr {
        x.max_pool(&self.window, &self.options)
    }
}

/// The mean of each window, as a layer; windows do not overlap unless the options give strides.
#[derive(Clone, Debug)]
pub struct AvgPool {
    window: Vec<i64>,
    options: Pool,
}

impl AvgPool {
    /// Windows of this size.
    pub fn new(window: impl Into<Vec<i64>>, options: Pool) -> AvgPool {
        AvgPool { window: window.into(), options }
    }

    /// Applies it to an image batch in the layout of the options.
    #[track_caller]
    pub fn apply(&self, x: &Expr) -> Expr {
        x.avg_pool(&self.window, &self.options)
    }
}

/// The mean over all spatial dimensions: `[batch, channels]`.
#[track_caller]
pub fn global_avg_pool(x: &Expr, layout: Layout) -> Expr {
    let _here = x.graph().here();
    let rank = x.rank();
    match layout {
        Layout::ChannelsFirst => x.mean(2..rank.max(2)),
        Layout::ChannelsLast => x.mean(1..rank.saturating_sub(1).max(1)),
    }
}
