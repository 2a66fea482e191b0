//! Convolutions and pooling.

use crate::expr::Expr;
use kiln_ir::op::{Axes, ConvDims, Reducer, Window, WindowDim};
use kiln_ir::{Dim, Op};
use smallvec::SmallVec;

/// Where the channels are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Layout {
    /// `[batch, channels, spatial...]` with kernels `[out, in, spatial...]`: NCHW and OIHW.
    #[default]
    ChannelsFirst,
    /// `[batch, spatial..., channels]` with kernels `[spatial..., in, out]`: NHWC and HWIO.
    ChannelsLast,
}

/// How borders are treated.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Padding {
    /// No padding.
    #[default]
    Valid,
    /// As much as makes the result `ceil(size / stride)`, the odd element at the end.
    Same,
    /// `(before, after)` per spatial dimension.
    Explicit(Vec<(i64, i64)>),
}

/// Options of [`Expr::conv`] and the poolings; every list has one entry per spatial dimension, or is empty for all ones.
///
/// ```
/// use kiln_builder::{Conv, Graph, dims};
/// let g = Graph::new("g");
/// let x = g.placeholder::<f32>("x", dims!["batch", 3, 32, 32]);
/// let k = g.placeholder::<f32>("k", dims![16, 3, 3, 3]);
/// let y = x.conv(&k, &Conv::nchw().same().stride([2, 2]));
/// assert_eq!(y.ty().to_string(), "f32[batch, 16, 16, 16]");
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Conv {
    layout: Layout,
    strides: Vec<i64>,
    padding: Padding,
    input_dilation: Vec<i64>,
    kernel_dilation: Vec<i64>,
    groups: Option<usize>,
    count_padding: bool,
}

/// Options of poolings: the same as of convolutions.
pub type Pool = Conv;

impl Conv {
    /// Channels first.
    pub fn nchw() -> Conv {
        Conv::default()
    }
    /// Channels last.
    pub fn nhwc() -> Conv {
        Conv { layout: Layout::ChannelsLast, ..Conv::default() }
    }
    /// In this layout.
    pub fn in_layout(layout: Layout) -> Conv {
        Conv { layout, ..Conv::default() }
    }
    /// Steps between windows.
    pub fn stride(mut self, strides: impl Into<Vec<i64>>) -> Conv {
        self.strides = strides.into();
        self
    }
    /// Border treatment.
    pub fn padding(mut self, padding: Padding) -> Conv {
        self.padding = padding;
        self
    }
    /// [`Padding::Same`].
    pub fn same(self) -> Conv {
        self.padding(Padding::Same)
    }
    /// Explicit padding `(before, after)` per spatial dimension.
    pub fn pad(self, widths: impl Into<Vec<(i64, i64)>>) -> Conv {
        self.padding(Padding::Explicit(widths.into()))
    }
    /// Spacing of the input's elements (strides of a transposed convolution).
    pub fn input_dilation(mut self, by: impl Into<Vec<i64>>) -> Conv {
        self.input_dilation = by.into();
        self
    }
    /// Spacing of the kernel's elements (atrous convolution).
    pub fn kernel_dilation(mut self, by: impl Into<Vec<i64>>) -> Conv {
        self.kernel_dilation = by.into();
        self
    }
    /// Groups of channels.
    pub fn groups(mut self, groups: usize) -> Conv {
        self.groups = Some(groups);
        self
    }
    /// Average pooling divides by the full window at the borders, too, as if padding were data.
    pub fn count_padding(mut self, yes: bool) -> Conv {
        self.count_padding = yes;
        self
    }

    /// Where the channels are.
    pub fn layout(&self) -> Layout {
        self.layout
    }
    /// Number of groups of channels.
    pub fn group_count(&self) -> usize {
        self.groups.unwrap_or(1)
    }

    /// Spatial dimensions, in order, of a tensor of this rank.
    fn spatial(&self, rank: usize) -> Axes {
        match self.layout {
            Layout::ChannelsFirst => (2..rank).collect(),
            Layout::ChannelsLast => (1..rank - 1).collect(),
        }
    }

    /// The windows over these sizes with these window sizes; the text says what is wrong.
    fn windows(&self, input: &[Dim], window: &[i64]) -> Result<SmallVec<[WindowDim; 4]>, String> {
        let n = input.len();
        let entry = |list: &[i64], i: usize, what: &str| match list {
            [] => Ok(1),
            list if list.len() == n => Ok(list[i]),
            list => Err(format!("{} {what} for {n} spatial dimensions", list.len())),
        };
        if window.len() != n {
            return Err(format!("{} window sizes for {n} spatial dimensions", window.len()));
        }
        let dim = |i: usize| {
            let mut w = WindowDim {
                size: window[i],
                stride: entry(&self.strides, i, "strides")?,
                base_dilation: entry(&self.input_dilation, i, "input dilations")?,
                window_dilation: entry(&self.kernel_dilation, i, "kernel dilations")?,
                ..WindowDim::TRIVIAL
            };
            (w.pad_low, w.pad_high) = match &self.padding {
                Padding::Valid => (0, 0),
                Padding::Explicit(p) if p.len() == n => p[i],
                Padding::Explicit(p) => return Err(format!("{} paddings for {n} spatial dimensions", p.len())),
                Padding::Same => same_padding(&input[i], &w)?,
            };
            Ok(w)
        };
        (0..n).map(dim).collect()
    }
}

/// Padding that gives `ceil(size / stride)` windows.
fn same_padding(size: &Dim, w: &WindowDim) -> Result<(i64, i64), String> {
    let window = w.dilated_size();
    let total = match size.as_const() {
        Some(n) if w.stride > 0 => {
            let dilated = if n == 0 { 0 } else { (n - 1) * w.base_dilation + 1 };
            let out = (dilated + w.stride - 1) / w.stride;
            ((out - 1) * w.stride + window - dilated).max(0)
        }
        _ if w.stride == 1 => window - 1,
        _ => return Err(format!("`same` padding with stride {} needs a number for the size {size}", w.stride)),
    };
    Ok((total / 2, total - total / 2))
}

impl Expr {
    /// Convolution (rank 1 to 3 in space) in the layout of `options`.
    #[track_caller]
    pub fn conv(&self, kernel: &Expr, options: &Conv) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() || kernel.is_poisoned() {
            return self.graph.poisoned();
        }
        if self.rank() < 3 || kernel.rank() != self.rank() {
            let label = "input and kernel need equal ranks of at least 3";
            return self.fail2(kernel, "convolution.rank", "the ranks do not fit", label);
        }
        let rank = self.rank();
        let spatial = options.spatial(rank);
        let (input_feature, kernel_in, kernel_out, kernel_spatial): (_, _, _, Axes) = match options.layout {
            Layout::ChannelsFirst => (1, 1, 0, (2..rank).collect()),
            Layout::ChannelsLast => (rank - 1, rank - 2, rank - 1, (0..rank - 2).collect()),
        };
        let (xs, ks) = (self.shape(), kernel.shape());
        let sizes: Option<Vec<i64>> = kernel_spatial.iter().map(|&a| ks[a].as_const()).collect();
        let Some(sizes) = sizes else {
            return self.fail2(
                kernel,
                "convolution.kernel",
                "the kernel's spatial sizes must be numbers",
                "symbolic size",
            );
        };
        let input: Vec<Dim> = spatial.iter().map(|&a| xs[a].clone()).collect();
        let window = match options.windows(&input, &sizes) {
            Ok(w) => w,
            Err(why) => return self.fail2(kernel, "convolution.window", "the options do not fit", why),
        };
        self.conv_general(
            kernel,
            ConvDims {
                input_batch: 0,
                input_feature,
                input_spatial: spatial.clone(),
                kernel_input_feature: kernel_in,
                kernel_output_feature: kernel_out,
                kernel_spatial,
                output_batch: 0,
                output_feature: input_feature,
                output_spatial: spatial,
                window,
                feature_group_count: options.groups.unwrap_or(1),
                batch_group_count: 1,
            },
        )
    }

    /// StableHLO's `convolution`.
    #[track_caller]
    pub fn conv_general(&self, kernel: &Expr, dims: ConvDims) -> Expr {
        self.graph.emit(Op::Convolution(Box::new(dims)), &[self, kernel])
    }

    /// The largest element of each window.
    #[track_caller]
    pub fn max_pool(&self, window: &[i64], options: &Pool) -> Expr {
        let _here = self.graph.here();
        self.pool(window, options, Reducer::Maximum)
    }

    /// The smallest element of each window.
    #[track_caller]
    pub fn min_pool(&self, window: &[i64], options: &Pool) -> Expr {
        let _here = self.graph.here();
        self.pool(window, options, Reducer::Minimum)
    }

    /// The sum of each window.
    #[track_caller]
    pub fn sum_pool(&self, window: &[i64], options: &Pool) -> Expr {
        let _here = self.graph.here();
        self.pool(window, options, Reducer::Add)
    }

    /// The mean of each window; padding does not count unless [`Conv::count_padding`] says so.
    #[track_caller]
    pub fn avg_pool(&self, window: &[i64], options: &Pool) -> Expr {
        let _here = self.graph.here();
        let sums = self.pool(window, options, Reducer::Add);
        if sums.is_poisoned() {
            return sums;
        }
        if options.count_padding || options.padding == Padding::Valid {
            return sums / window.iter().map(|&n| n as f64).product::<f64>();
        }
        // The counts are the same for every batch element and channel.
        let mut shape = self.shape();
        let spatial = options.spatial(self.rank());
        (0..self.rank()).filter(|a| !spatial.contains(a)).for_each(|a| shape[a] = Dim::Const(1));
        let counts = self.graph.ones(self.dtype(), shape).pool(window, options, Reducer::Add);
        sums / counts
    }

    #[track_caller]
    fn pool(&self, window: &[i64], options: &Pool, reducer: Reducer) -> Expr {
        if self.is_poisoned() {
            return self.clone();
        }
        if self.rank() < 3 {
            return self.fail("reduce_window.rank", "pooling needs batch, channels and space", "the rank is too small");
        }
        let own = self.shape();
        let spatial = options.spatial(self.rank());
        let sizes: Vec<Dim> = spatial.iter().map(|&a| own[a].clone()).collect();
        let strides_or_window = Conv {
            strides: if options.strides.is_empty() { window.to_vec() } else { options.strides.clone() },
            ..options.clone()
        };
        let windows = match strides_or_window.windows(&sizes, window) {
            Ok(w) => w,
            Err(why) => return self.fail("reduce_window.window", "the options do not fit", why),
        };
        let mut dims: SmallVec<[WindowDim; 4]> = SmallVec::from_elem(WindowDim::TRIVIAL, self.rank());
        spatial.iter().zip(windows).for_each(|(&a, w)| dims[a] = w);
        self.reduce_window(Window { dims }, reducer)
    }

    /// Folds each window, starting at the reducer's identity; one entry of `window` per dimension.
    #[track_caller]
    pub fn reduce_window(&self, window: Window, reducer: Reducer) -> Expr {
        let _here = self.graph.here();
        if self.is_poisoned() {
            return self.clone();
        }
        let init = self.graph.identity(reducer, self.dtype());
        self.graph.emit(Op::ReduceWindow { window: Box::new(window), reducer }, &[self, &init])
    }
}
