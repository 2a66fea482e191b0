//! Fourier transforms against the definition, computed with compensated sums.

mod common;

use common::{Rng, Values, available_isas, call_with_tables, random_values};
use kiln_ir::DType;
use kiln_ir::op::FftKind;
use kiln_kernels::{ThreadPool, with_isa};
use kiln_program::call::{Call, FftParams};

type Complex = [f64; 2];

/// `e^(-2 pi i k / n)`; the angle is brought into the first octant with integers, so that it has a small error.
fn root(k: usize, n: usize) -> Complex {
    let mut k = 4 * (k % n);
    let below = k > 2 * n;
    k = if below { 4 * n - k } else { k };
    let left = k > n;
    k = if left { 2 * n - k } else { k };
    let steep = 2 * k > n;
    k = if steep { n - k } else { k };
    let (mut sin, mut cos) = (core::f64::consts::FRAC_PI_2 * (k as f64 / n as f64)).sin_cos();
    if steep {
        (sin, cos) = (cos, sin);
    }
    [if left { -cos } else { cos }, if below { sin } else { -sin }]
}

/// A sum that keeps what rounding loses (Kahan, Neumaier), of products taken exactly.
#[derive(Clone, Copy, Default)]
struct Sum(f64, f64);

impl Sum {
    fn add(&mut self, x: f64) {
        let sum = self.0 + x;
        self.1 += if self.0.abs() >= x.abs() { (self.0 - sum) + x } else { (x - sum) + self.0 };
        self.0 = sum;
    }

    fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        self.add(product);
        self.1 += a.mul_add(b, -product);
    }
}

/// One dimension by the definition.
fn dft(values: &mut [Complex], (outer, n, inner): (usize, usize, usize), inverse: bool) {
    let roots: Vec<Complex> = (0..n).map(|k| root(k, n)).collect();
    for o in 0..outer {
        for i in 0..inner {
            let line: Vec<Complex> = (0..n).map(|j| values[(o * n + j) * inner + i]).collect();
            for k in 0..n {
                let (mut re, mut im) = (Sum::default(), Sum::default());
                for (j, &[a, b]) in line.iter().enumerate() {
                    let [c, s] = roots[j * k % n];
                    let s = if inverse { -s } else { s };
                    re.add_product(a, c);
                    re.add_product(-b, s);
                    im.add_product(a, s);
                    im.add_product(b, c);
                }
                values[(o * n + k) * inner + i] = [re.0 + re.1, im.0 + im.1];
            }
        }
    }
}

/// All dimensions of complex values of the given lengths.
fn dft_all(values: &mut [Complex], batch: usize, length: &[usize], inverse: bool) {
    for d in 0..length.len() {
        let outer = batch * length[..d].iter().product::<usize>();
        dft(values, (outer, length[d], length[d + 1..].iter().product()), inverse);
    }
    if inverse {
        let count = length.iter().product::<usize>() as f64;
        values.iter_mut().flatten().for_each(|part| *part /= count);
    }
}

fn spectrum_shape(length: &[usize]) -> Vec<usize> {
    let mut shape = length.to_vec();
    if let Some(last) = shape.last_mut() {
        *last = if *last == 0 { 0 } else { *last / 2 + 1 };
    }
    shape
}

/// The full spectrum of a real signal from the non-negative frequencies of the last dimension.
fn extend(half: &[Complex], batch: usize, length: &[usize]) -> Vec<Complex> {
    let shape = spectrum_shape(length);
    let (n, width) = (length[length.len() - 1], shape[shape.len() - 1]);
    let outer = &length[..length.len() - 1];
    let rows: usize = outer.iter().product();
    let mut full = vec![[0.0; 2]; batch * rows * n];
    // The dimensions but the last are complex and come first.
    let mut values = half.to_vec();
    for d in 0..outer.len() {
        let inner = outer[d + 1..].iter().product::<usize>() * width;
        dft(&mut values, (batch * outer[..d].iter().product::<usize>(), outer[d], inner), true);
    }
    for row in 0..batch * rows {
        for k in 0..n {
            let [re, im] = values[row * width + if k < width { k } else { n - k }];
            let im = if k == 0 || 2 * k == n { 0.0 } else { im };
            full[row * n + k] = [re, if k < width { im } else { -im }];
        }
    }
    full
}

fn reference(op: &FftParams, input: &Values) -> Vec<f64> {
    let all: Vec<f64> = (0..input.len()).map(|at| input.float(at)).collect();
    let pairs = || all.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect::<Vec<Complex>>();
    match op.transform {
        FftKind::Fft | FftKind::Ifft => {
            let mut values = pairs();
            dft_all(&mut values, op.batch, &op.length, op.transform == FftKind::Ifft);
            values.into_flattened()
        }
        FftKind::Rfft => {
            let mut values: Vec<Complex> = all.iter().map(|&x| [x, 0.0]).collect();
            dft_all(&mut values, op.batch, &op.length, false);
            let n = op.length[op.length.len() - 1];
            values.chunks_exact(n.max(1)).flat_map(|row| row[..n / 2 + 1].to_vec()).flatten().collect()
        }
        FftKind::Irfft => {
            let mut values = extend(&pairs(), op.batch, &op.length);
            let n = op.length[op.length.len() - 1];
            let rows = values.len() / n.max(1);
            dft(&mut values, (rows, n, 1), true);
            let count = op.length.iter().product::<usize>() as f64;
            values.iter().map(|value| value[0] / count).collect()
        }
    }
}

fn input_of(op: &FftParams, rng: &mut Rng) -> Values {
    let complex = |shape: &[usize]| 2 * op.batch * shape.iter().product::<usize>();
    let len = match op.transform {
        FftKind::Fft | FftKind::Ifft => complex(&op.length),
        FftKind::Rfft => complex(&op.length) / 2,
        FftKind::Irfft => complex(&spectrum_shape(&op.length)),
    };
    random_values(op.dtype, len, rng)
}

fn output_of(op: &FftParams) -> Values {
    let complex = |shape: &[usize]| 2 * op.batch * shape.iter().product::<usize>();
    let len = match op.transform {
        FftKind::Fft | FftKind::Ifft => complex(&op.length),
        FftKind::Rfft => complex(&spectrum_shape(&op.length)),
        FftKind::Irfft => complex(&op.length) / 2,
    };
    Values::zeros(op.dtype, len)
}

/// The root mean square of the error, and its maximum, in units in the last place of the root mean square result.
fn errors(op: &FftParams, out: &Values, expected: &[f64]) -> (f64, f64) {
    assert_eq!(out.len(), expected.len(), "{op:?}");
    let norm = (expected.iter().map(|x| x * x).sum::<f64>() / expected.len().max(1) as f64).sqrt();
    let unit = if op.dtype == DType::F32 { f32::EPSILON as f64 } else { f64::EPSILON } * norm;
    let difference = |at: usize| (out.float(at) - expected[at]).abs();
    let (mut sum, mut most) = (0.0f64, 0.0f64);
    for at in 0..out.len() {
        let d = difference(at);
        assert!(!d.is_nan(), "{op:?}: element {at} is {}", out.float(at));
        sum += d * d;
        most = most.max(d);
    }
    if norm == 0.0 {
        assert_eq!(most, 0.0);
        return (0.0, 0.0);
    }
    ((sum / out.len() as f64).sqrt() / unit, most / unit)
}

/// Transforms random values and compares. Returns the root mean square error.
fn check(op: &FftParams, rng: &mut Rng) -> f64 {
    let input = input_of(op, rng);
    let mut out = output_of(op);
    call_with_tables(&Call::Fft(op.clone()), &[&input], &mut out, None);
    let (mean, most) = errors(op, &out, &reference(op, &input));
    // What is seen is about 0.3 sqrt(log2 n), and twice that where f64 goes through a convolution; a root that is wrong in
    // the last place of f32, or anything in the wrong place, is far above.
    let bound = if op.dtype == DType::F64 && op.length.iter().any(|&n| has_large_factor(n)) { 2.5 } else { 1.4 };
    assert!(mean < bound && most < 6.0 * bound, "{op:?}: error {mean} on average, {most} at most");
    mean
}

fn has_large_factor(n: usize) -> bool {
    let mut rest = n.max(1);
    (2..=61).for_each(|p| {
        while rest.is_multiple_of(p) {
            rest /= p
        }
    });
    rest > 1
}

const ALL: [FftKind; 4] = [FftKind::Fft, FftKind::Ifft, FftKind::Rfft, FftKind::Irfft];

fn params(dtype: DType, transform: FftKind, batch: usize, length: &[usize]) -> FftParams {
    FftParams { dtype, transform, batch, length: length.to_vec() }
}

#[test]
fn every_length_and_kind() {
    let mut rng = Rng::new(1);
    for n in (0..=72).chain([77, 79, 100, 101, 120, 125, 127, 128, 134, 169, 210, 243, 254, 256, 257]) {
        for (i, transform) in ALL.into_iter().enumerate() {
            // The reference takes its time: with the longer ones, either type.
            for (j, dtype) in [DType::F32, DType::F64].into_iter().enumerate() {
                if n < 40 || (n + i + j) % 2 == 0 {
                    let batch = if n < 40 { [1, 3, 17, 40][(n + i) % 4] } else { [1, 17][n / 2 % 2] };
                    check(&params(dtype, transform, batch, &[n]), &mut rng);
                }
            }
        }
    }
}

#[test]
fn long_lines() {
    let mut rng = Rng::new(2);
    // Matrices, rectangular ones, chirps over matrices, and whole groups of long lines.
    for (batch, n) in [(1, 512), (1, 2187), (2, 2520), (1, 1021), (1, 2053), (17, 500), (9, 630)] {
        for transform in [FftKind::Fft, FftKind::Irfft] {
            check(&params(DType::F32, transform, batch, &[n]), &mut rng);
        }
        if n < 2000 {
            check(&params(DType::F64, FftKind::Ifft, 1, &[n]), &mut rng);
        }
    }
    check(&params(DType::F64, FftKind::Rfft, 1, &[2118]), &mut rng);
    check(&params(DType::F32, FftKind::Ifft, 3, &[4096]), &mut rng);
}

#[test]
fn several_dimensions() {
    let mut rng = Rng::new(3);
    let lengths: [&[usize]; 12] = [
        &[4, 4],
        &[1, 1, 1],
        &[5, 16],
        &[16, 5],
        &[67, 20],
        &[3, 67],
        &[20, 64],
        &[2, 2, 4],
        &[3, 20, 18],
        &[7, 1, 40],
        &[40, 3, 1],
        &[2, 0, 3],
    ];
    for length in lengths {
        for transform in ALL {
            for dtype in [DType::F32, DType::F64] {
                for batch in [0, 1, 3] {
                    check(&params(dtype, transform, batch, length), &mut rng);
                }
            }
        }
    }
}

#[test]
fn instructions_agree_with_the_definition() {
    let mut rng = Rng::new(4);
    for isa in available_isas() {
        with_isa(isa, || {
            for (batch, length) in [(20, vec![64]), (3, vec![60]), (1, vec![1024]), (2, vec![24, 40]), (5, vec![77])] {
                for transform in ALL {
                    for dtype in [DType::F32, DType::F64] {
                        check(&params(dtype, transform, batch, &length), &mut rng);
                    }
                }
            }
        })
        .expect("available");
    }
}

#[test]
fn threads_do_not_change_results() {
    let pool = ThreadPool::new(4).expect("threads");
    let mut rng = Rng::new(5);
    for (batch, length) in [(300, vec![96]), (1, vec![16384]), (1, vec![80, 90]), (2, vec![1009]), (40, vec![999])] {
        for transform in ALL {
            let op = params(DType::F32, transform, batch, &length);
            let input = input_of(&op, &mut rng);
            let (mut alone, mut together) = (output_of(&op), output_of(&op));
            call_with_tables(&Call::Fft(op.clone()), &[&input], &mut alone, None);
            call_with_tables(&Call::Fft(op.clone()), &[&input], &mut together, Some(&pool));
            assert!(alone.as_bytes() == together.as_bytes(), "{op:?}");
        }
    }
}

#[test]
fn accuracy() {
    let mut rng = Rng::new(6);
    for (n, bound) in [(256, 0.9), (360, 1.1), (2048, 1.1), (61, 1.1), (59 * 53, 1.4)] {
        for dtype in [DType::F32, DType::F64] {
            let mean = check(&params(dtype, FftKind::Fft, 2, &[n]), &mut rng);
            assert!(mean < bound, "{n} of {dtype}: {mean}");
        }
    }
    // By a chirp: f32 is computed in f64.
    let mean = check(&params(DType::F32, FftKind::Fft, 1, &[1009]), &mut rng);
    assert!(mean < 0.35, "{mean}");
    let mean = check(&params(DType::F64, FftKind::Fft, 1, &[1009]), &mut rng);
    assert!(mean < 2.2, "{mean}");
}

#[test]
fn simple_signals_are_exact() {
    for n in [8usize, 64, 256, 1024] {
        let op = params(DType::F32, FftKind::Fft, 1, &[n]);
        let (mut input, mut out) = (Values::zeros(DType::F32, 2 * n), Values::zeros(DType::F32, 2 * n));
        (0..n).for_each(|at| input.set(2 * at, 3.0));
        call_with_tables(&Call::Fft(op), &[&input], &mut out, None);
        for at in 0..2 * n {
            assert_eq!(out.float(at), if at == 0 { 3.0 * n as f64 } else { 0.0 }, "{n}: {at}");
        }
    }
}

#[test]
fn non_finite_lines_stay_among_themselves() {
    let op = params(DType::F32, FftKind::Rfft, 16, &[30]);
    let mut rng = Rng::new(7);
    let mut input = input_of(&op, &mut rng);
    input.set(5 * 30 + 3, f64::NAN);
    input.set(9 * 30, f64::INFINITY);
    let mut out = output_of(&op);
    call_with_tables(&Call::Fft(op), &[&input], &mut out, None);
    for row in 0..16 {
        let finite = (0..32).all(|at| out.float(row * 32 + at).is_finite());
        assert_eq!(finite, row != 5 && row != 9, "row {row}");
    }
}
