//! `fft`: the sums of the definition, split in halves while a size is even, for large odd sizes as a convolution (Bluestein).
//! In pairs of f64, rounded once.

use super::elementwise::{from_wide, widen};
use crate::error::Fault;
use crate::index::{complement, offsets, strides};
use crate::scalar::lane::{Lane, Wide};
use kiln_ir::op::FftKind;
use kiln_ir::{Complex, Tensor};
use std::f64::consts::TAU;

type C = Complex<f64>;

const ZERO: C = C::new(0.0, 0.0);

/// Odd sizes up to here are summed as defined.
const DIRECT: usize = 64;

/// Transforms the last `length.len()` dimensions; the result has elements (the caller's care).
pub(super) fn fft(x: &Tensor, kind: FftKind, length: &[i64]) -> Result<Tensor, Fault> {
    let n: Vec<usize> =
        length.iter().map(|&l| usize::try_from(l)).collect::<Result<_, _>>().map_err(|_| bad(length))?;
    let first = x.rank().checked_sub(n.len()).ok_or_else(|| bad(length))?;
    let mut shape = x.shape().to_vec();
    let mut values: Vec<C> = widen(x)?.into_iter().map(C::narrow).collect();
    let inverse = matches!(kind, FftKind::Ifft | FftKind::Irfft);
    let (&last, others) = n.split_last().ok_or_else(|| bad(length))?;
    let last_dim = first + others.len();
    // The real side comes first when it is given, last when it is asked for.
    let order: Vec<usize> = if inverse { (first..=last_dim).collect() } else { (first..=last_dim).rev().collect() };
    for d in order {
        let half = last / 2 + 1;
        match kind {
            FftKind::Rfft if d == last_dim => {
                along(&mut values, &mut shape, d, half, |line| transform(line, false).into_iter().take(half).collect());
            }
            FftKind::Irfft if d == last_dim => {
                along(&mut values, &mut shape, d, last, |line| transform(&mirrored(line, last), true));
            }
            _ => {
                let size = shape[d];
                along(&mut values, &mut shape, d, size, |line| transform(line, inverse));
            }
        }
    }
    let points: f64 = n.iter().map(|&n| n as f64).product();
    let scale = if inverse { points } else { 1.0 };
    let wide = values.into_iter().map(|z| Wide::C(C::new(z.re / scale, z.im / scale)));
    let dtype = match kind {
        FftKind::Fft | FftKind::Ifft => x.dtype(),
        FftKind::Rfft => x.dtype().complex_type().ok_or(Fault::Unsupported(x.dtype()))?,
        FftKind::Irfft => x.dtype().real_type(),
    };
    from_wide(dtype, &shape, wide)
}

fn bad(length: &[i64]) -> Fault {
    Fault::malformed(format!("the lengths {length:?} do not fit the operand"))
}

/// Replaces every line along dimension `d` by what `f` makes of it, `size` numbers.
fn along(values: &mut Vec<C>, shape: &mut [usize], d: usize, size: usize, f: impl Fn(&[C]) -> Vec<C>) {
    let starts = offsets(shape, &complement(shape.len(), &[d]));
    let (step, n) = (strides(shape)[d] as usize, shape[d]);
    shape[d] = size;
    let targets = offsets(shape, &complement(shape.len(), &[d]));
    let target_step = strides(shape)[d] as usize;
    let mut out = vec![ZERO; shape.iter().product()];
    for (start, target) in starts.into_iter().zip(targets) {
        let line: Vec<C> = (0..n).map(|i| values[start + i * step]).collect();
        for (i, z) in f(&line).into_iter().enumerate() {
            out[target + i * target_step] = z;
        }
    }
    *values = out;
}

/// All `n` frequencies of a real signal from the first `n / 2 + 1`. Those that are their own mirror image are real.
fn mirrored(line: &[C], n: usize) -> Vec<C> {
    (0..n)
        .map(|k| match k {
            0 => C::new(line[0].re, 0.0),
            k if 2 * k == n => C::new(line[k].re, 0.0),
            k if 2 * k < n => line[k],
            k => line[n - k].conj(),
        })
        .collect()
}

/// `e^(-2 pi i k / n)`, or the conjugate; exact for multiples of a quarter turn.
fn root(k: usize, n: usize, inverse: bool) -> C {
    let k = k % n;
    let (eighths, rest) = ((8 * k as u128 / n as u128) as usize, 8 * k as u128 % n as u128);
    // The angle within an eighth of a turn, from the nearer axis.
    let within = |r: u128| TAU * (r as f64) / (8.0 * n as f64);
    let (sin, cos) = if eighths.is_multiple_of(2) {
        within(rest).sin_cos()
    } else {
        let (sin, cos) = within(n as u128 - rest).sin_cos();
        (cos, sin)
    };
    let (cos, sin) = match eighths / 2 {
        0 => (cos, sin),
        1 => (-sin, cos),
        2 => (-cos, -sin),
        _ => (sin, -cos),
    };
    C::new(cos, if inverse { sin } else { -sin })
}

/// The transform without its scale.
fn transform(x: &[C], inverse: bool) -> Vec<C> {
    let n = x.len();
    if n <= 1 {
        return x.to_vec();
    }
    if n.is_multiple_of(2) {
        let half = |from: usize| transform(&x.iter().skip(from).step_by(2).copied().collect::<Vec<_>>(), inverse);
        let (even, odd) = (half(0), half(1));
        let turned: Vec<C> = odd.iter().enumerate().map(|(k, z)| z * root(k, n, inverse)).collect();
        let sums = even.iter().zip(&turned).map(|(a, b)| a + b);
        let differences = even.iter().zip(&turned).map(|(a, b)| a - b);
        return sums.chain(differences).collect();
    }
    if n <= DIRECT {
        let roots: Vec<C> = (0..n).map(|k| root(k, n, inverse)).collect();
        return (0..n).map(|k| x.iter().enumerate().fold(ZERO, |s, (j, z)| s + z * roots[j * k % n])).collect();
    }
    chirp(x, inverse)
}

/// Bluestein's algorithm: `jk = (j^2 + k^2 - (k - j)^2) / 2` makes the transform a convolution, of a size that halves.
fn chirp(x: &[C], inverse: bool) -> Vec<C> {
    let n = x.len();
    let size = (2 * n - 1).next_power_of_two();
    let turn = |j: usize| root((j as u128 * j as u128 % (2 * n as u128)) as usize, 2 * n, inverse);
    let (mut a, mut b) = (vec![ZERO; size], vec![ZERO; size]);
    for (j, z) in x.iter().enumerate() {
        a[j] = z * turn(j);
        b[j] = turn(j).conj();
        b[(size - j) % size] = b[j];
    }
    let (a, b) = (transform(&a, false), transform(&b, false));
    let product: Vec<C> = a.iter().zip(&b).map(|(a, b)| a * b).collect();
    let convolved = transform(&product, true);
    (0..n).map(|k| convolved[k] / size as f64 * turn(k)).collect()
}
