//! Roots of unity, correctly rounded but for rare ties: computed in double-double arithmetic from basic operations alone,
//! so that tables are the same on every machine.

use core::f64::consts::FRAC_PI_2;

/// An unevaluated sum of two floats: about 106 bits. (T. J. Dekker, "A floating-point technique for extending the
/// available precision", 1971.)
#[derive(Clone, Copy)]
struct Double {
    hi: f64,
    lo: f64,
}

/// What `FRAC_PI_2` lacks.
const FRAC_PI_2_LOW: f64 = 6.123233995736766e-17;

impl Double {
    const ZERO: Double = Double { hi: 0.0, lo: 0.0 };

    fn new(hi: f64) -> Double {
        Double { hi, lo: 0.0 }
    }

    /// `a + b` where `|a| >= |b|`.
    fn quick_sum(a: f64, b: f64) -> Double {
        let hi = a + b;
        Double { hi, lo: b - (hi - a) }
    }

    /// The exact sum.
    fn sum(a: f64, b: f64) -> Double {
        let hi = a + b;
        let part = hi - a;
        Double { hi, lo: (a - (hi - part)) + (b - part) }
    }

    /// The exact product.
    fn product(a: f64, b: f64) -> Double {
        let split = |x: f64| {
            let scaled = x * 134_217_729.0;
            let high = scaled - (scaled - x);
            (high, x - high)
        };
        let hi = a * b;
        let ((a1, a2), (b1, b2)) = (split(a), split(b));
        Double { hi, lo: ((a1 * b1 - hi) + a1 * b2 + a2 * b1) + a2 * b2 }
    }

    fn add(self, b: Double) -> Double {
        let (s, t) = (Double::sum(self.hi, b.hi), Double::sum(self.lo, b.lo));
        let s = Double::quick_sum(s.hi, s.lo + t.hi);
        Double::quick_sum(s.hi, s.lo + t.lo)
    }

    fn neg(self) -> Double {
        Double { hi: -self.hi, lo: -self.lo }
    }

    fn mul(self, b: Double) -> Double {
        let p = Double::product(self.hi, b.hi);
        Double::quick_sum(p.hi, p.lo + (self.hi * b.lo + self.lo * b.hi))
    }

    /// Division by a float.
    fn div(self, b: f64) -> Double {
        let q = self.hi / b;
        let p = Double::product(q, b);
        Double::quick_sum(q, ((self.hi - p.hi) - p.lo + self.lo) / b)
    }
}

/// Cosine and sine of an angle of at most a quarter of pi, by their series.
fn cos_sin(x: Double) -> [Double; 2] {
    let square = x.mul(x).neg();
    let (mut cos, mut sin) = (Double::ZERO, Double::ZERO);
    let (mut even, mut odd) = (Double::new(1.0), x);
    for i in 0..14 {
        cos = cos.add(even);
        sin = sin.add(odd);
        let k = f64::from(2 * i);
        even = even.mul(square).div((k + 1.0) * (k + 2.0));
        odd = odd.mul(square).div((k + 2.0) * (k + 3.0));
    }
    [cos, sin]
}

/// Cosine and sine of `2 pi k / n`, for `k <= n < 2^50`.
fn root(k: usize, n: usize) -> [Double; 2] {
    // The angle in units of pi / (2 n), brought into the first octant; exact in integers.
    let mut k = 4 * (k % n);
    let below = k > 2 * n;
    if below {
        k = 4 * n - k;
    }
    let left = k > n;
    if left {
        k = 2 * n - k;
    }
    let steep = 2 * k > n;
    if steep {
        k = n - k;
    }
    let angle = Double::new(k as f64).div(n as f64).mul(Double { hi: FRAC_PI_2, lo: FRAC_PI_2_LOW });
    let [mut cos, mut sin] = cos_sin(angle);
    if steep {
        core::mem::swap(&mut cos, &mut sin);
    }
    [if left { cos.neg() } else { cos }, if below { sin.neg() } else { sin }]
}

/// `e^(-2 pi i k / n)` for any `k`, from tables of about `2 sqrt(n)` roots.
pub(crate) struct Roots {
    n: usize,
    step: usize,
    fine: Vec<[Double; 2]>,
    coarse: Vec<[Double; 2]>,
}

impl Roots {
    /// The tables for `1 <= n < 2^50`.
    pub(crate) fn new(n: usize) -> Roots {
        let step = n.isqrt().max(1);
        Roots {
            n,
            step,
            fine: (0..step).map(|k| root(k, n)).collect(),
            coarse: (0..n.div_ceil(step)).map(|k| root(k * step, n)).collect(),
        }
    }

    /// The root `k` as real and imaginary part.
    pub(crate) fn get(&self, k: usize) -> [f64; 2] {
        let k = k % self.n;
        let ([c1, s1], [c2, s2]) = (self.coarse[k / self.step], self.fine[k % self.step]);
        let cos = c1.mul(c2).add(s1.mul(s2).neg());
        let sin = s1.mul(c2).add(c1.mul(s2));
        // What should be 0 comes out as some 1e-32; the smallest true value is far above.
        [cos, sin.neg()].map(|part| if part.hi.abs() < 1e-25 { 0.0 } else { part.hi })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_angles_are_exact() {
        for n in [1usize, 2, 4, 8, 12, 40, 4096, 3 * 1024] {
            let roots = Roots::new(n);
            assert_eq!(roots.get(0), [1.0, 0.0]);
            assert_eq!(roots.get(n), [1.0, 0.0]);
            if n % 2 == 0 {
                assert_eq!(roots.get(n / 2), [-1.0, 0.0], "{n}");
            }
            if n % 4 == 0 {
                assert_eq!(roots.get(n / 4), [0.0, -1.0], "{n}");
                assert_eq!(roots.get(3 * n / 4), [0.0, 1.0], "{n}");
            }
            if n % 8 == 0 {
                let half = core::f64::consts::FRAC_1_SQRT_2;
                assert_eq!(roots.get(n / 8), [half, -half], "{n}");
            }
            if n % 12 == 0 {
                assert_eq!(roots.get(n / 12)[1], -0.5, "{n}");
                assert_eq!(roots.get(n / 6)[0], 0.5, "{n}");
            }
        }
    }

    #[test]
    fn agrees_with_the_standard_library() {
        for n in [3usize, 7, 100, 1009, 65_536, 1_000_003] {
            let roots = Roots::new(n);
            for i in 0..500 {
                let k = (i * 7919) % n;
                let angle = core::f64::consts::TAU * (k as f64 / n as f64);
                let [re, im] = roots.get(k);
                // The angle of the reference is rounded: up to 2 pi * 2^-53 absolutely.
                assert!((re - angle.cos()).abs() < 1.5e-15 && (im + angle.sin()).abs() < 1.5e-15, "{k} / {n}");
                assert!((re * re + im * im - 1.0).abs() < 4e-16);
            }
        }
    }

    #[test]
    fn products_of_table_entries_are_as_good_as_direct_values() {
        let n = 9973;
        let roots = Roots::new(n);
        for k in 0..n {
            let [cos, sin] = root(k, n);
            assert_eq!(roots.get(k), [cos.hi, -sin.hi].map(|x| if x == 0.0 { 0.0 } else { x }), "{k}");
        }
    }
}
