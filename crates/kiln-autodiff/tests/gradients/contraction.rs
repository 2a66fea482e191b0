use crate::check::Case;
use kiln_ir::Op;
use kiln_ir::op::{Axes, ConvDims, DotDims, WindowDim};

fn axes(a: &[usize]) -> Axes {
    a.iter().copied().collect()
}

fn dot(l: &[usize], r: &[usize], lb: &[usize], rb: &[usize], lc: &[usize], rc: &[usize]) {
    let mut c = Case::new();
    let (x, y) = (c.x(l), c.x(r));
    let dims = DotDims {
        lhs_batch: axes(lb),
        rhs_batch: axes(rb),
        lhs_contract: axes(lc),
        rhs_contract: axes(rc),
        result: None,
    };
    let z = c.op(Op::DotGeneral(dims), &[x, y]);
    c.done(z);
}

#[test]
fn dots() {
    dot(&[3, 4], &[4, 2], &[], &[], &[1], &[0]);
    dot(&[5], &[5], &[], &[], &[0], &[0]);
    dot(&[2], &[3], &[], &[], &[], &[]);
    dot(&[2, 3, 4], &[4, 2, 3], &[0], &[1], &[2], &[0]);
    // Two contracted dimensions in crossed order.
    dot(&[3, 4, 2], &[4, 5, 3], &[], &[], &[0, 1], &[2, 0]);
    // Batch dimensions behind, in crossed order.
    dot(&[3, 2, 4], &[4, 5, 2], &[1, 2], &[2, 0], &[], &[]);
}

struct Conv {
    input: &'static [usize],
    kernel: &'static [usize],
    window: &'static [WindowDim],
    groups: usize,
    batch_groups: usize,
    last: bool,
}

fn w(size: i64, stride: i64, pad: (i64, i64), base: i64, window: i64) -> WindowDim {
    WindowDim {
        size,
        stride,
        pad_low: pad.0,
        pad_high: pad.1,
        base_dilation: base,
        window_dilation: window,
        reversed: false,
    }
}

fn conv(v: Conv) {
    let n = v.window.len();
    let spatial: Axes = if v.last { (1..=n).collect() } else { (2..n + 2).collect() };
    let (feature, kernel_in, kernel_out, kernel_spatial) =
        if v.last { (n + 1, n, n + 1, (0..n).collect()) } else { (1, 1, 0, (2..n + 2).collect::<Axes>()) };
    let dims = ConvDims {
        input_batch: 0,
        input_feature: feature,
        input_spatial: spatial.clone(),
        kernel_input_feature: kernel_in,
        kernel_output_feature: kernel_out,
        kernel_spatial,
        output_batch: 0,
        output_feature: feature,
        output_spatial: spatial,
        window: v.window.iter().copied().collect(),
        feature_group_count: v.groups,
        batch_group_count: v.batch_groups,
    };
    let mut c = Case::new();
    let (x, k) = (c.x(v.input), c.x(v.kernel));
    let y = c.op(Op::Convolution(Box::new(dims)), &[x, k]);
    c.done(y);
}

#[test]
fn convolutions() {
    let plain = |input, kernel, window: &'static [WindowDim]| Conv {
        input,
        kernel,
        window,
        groups: 1,
        batch_groups: 1,
        last: false,
    };
    const SAME: WindowDim = WindowDim { size: 3, pad_low: 1, pad_high: 1, ..WindowDim::TRIVIAL };
    conv(plain(&[2, 2, 5], &[3, 2, 3], &[SAME]));
    conv(plain(&[1, 2, 4, 5], &[2, 2, 3, 2], const { &[SAME, WindowDim { size: 2, ..WindowDim::TRIVIAL }] }));
    for window in [
        w(3, 2, (0, 1), 1, 1),
        w(3, 2, (2, 0), 1, 2),
        w(2, 1, (1, 1), 2, 1),
        w(3, 3, (2, 3), 2, 2),
        w(2, 2, (-1, 0), 1, 1),
        w(3, 1, (4, 3), 1, 1),
        w(1, 2, (0, 0), 1, 1),
    ] {
        let leaked: &'static [WindowDim] = Box::leak(Box::new([window]));
        conv(plain(
            &[2, 2, 7],
            if window.size == 3 {
                &[2, 2, 3]
            } else if window.size == 2 {
                &[2, 2, 2]
            } else {
                &[2, 2, 1]
            },
            leaked,
        ));
    }
    conv(plain(
        &[1, 1, 3, 3, 2],
        &[2, 1, 2, 2, 2],
        const { &[WindowDim { size: 2, pad_high: 1, ..WindowDim::TRIVIAL }; 3] },
    ));
}

#[test]
fn convolutions_with_groups_and_layouts() {
    const SAME: WindowDim = WindowDim { size: 3, pad_low: 1, pad_high: 1, stride: 2, ..WindowDim::TRIVIAL };
    const BACK: WindowDim = WindowDim { reversed: true, ..SAME };
    conv(Conv { input: &[2, 4, 5], kernel: &[6, 2, 3], window: &[SAME], groups: 2, batch_groups: 1, last: false });
    // Depthwise.
    conv(Conv { input: &[2, 5, 3], kernel: &[3, 1, 6], window: &[SAME], groups: 3, batch_groups: 1, last: true });
    conv(Conv { input: &[4, 2, 5], kernel: &[6, 2, 3], window: &[SAME], groups: 1, batch_groups: 2, last: false });
    conv(Conv { input: &[6, 5, 2], kernel: &[3, 2, 3], window: &[SAME], groups: 1, batch_groups: 3, last: true });
    conv(Conv { input: &[2, 2, 6], kernel: &[3, 2, 3], window: &[BACK], groups: 1, batch_groups: 1, last: false });
}
