//! Where functions are measured: every binade, the neighbourhoods of special points, and intervals of their own.

use super::dd::ldexp;
use super::format::Format;
use super::functions::Function;
use kiln_testing::Rng;

/// How many points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Density {
    /// A few thousand: seconds for everything, as part of the tests.
    Quick,
    /// About a million.
    Dense,
}

/// Points as bit patterns, one list per operand.
pub fn points(f: &Function, format: Format, density: Density) -> Vec<Vec<u64>> {
    if f.arity() == 2 {
        return pairs(f.name, format, density);
    }
    if format.bytes == 2 {
        return vec![(0..1 << 16).collect()];
    }
    let dense = density == Density::Dense;
    let mut s = Sweep { format, rng: Rng::new(7), out: vec![] };
    s.binades(match (format.bytes, dense) {
        (4, true) => 1024,
        (4, false) => 8,
        (_, true) => 96,
        (_, false) => 1,
    });
    for &(lo, hi) in f.ranges {
        s.uniform(lo, hi, if dense { 1 << 18 } else { 1 << 11 });
    }
    s.multiples_of_half_pi(if dense { 1 << 15 } else { 1 << 8 });
    s.special(if dense { 1 << 11 } else { 1 << 5 });
    vec![s.out]
}

struct Sweep {
    format: Format,
    rng: Rng,
    out: Vec<u64>,
}

impl Sweep {
    fn unit(&mut self) -> f64 {
        self.rng.unit()
    }

    fn any(&mut self) -> u64 {
        self.rng.bits() >> (64 - self.format.width())
    }

    /// Both signs of every exponent, `per` mantissas each: one at random in each of as many equal parts.
    fn binades(&mut self, per: u64) {
        let m = self.format.digits - 1;
        let span = 1u64 << m;
        for top in 0..1u64 << (self.format.width() as i32 - m) {
            for part in 0..per {
                let fraction = span / per * part + self.rng.bits() % (span / per);
                self.out.push(top << m | fraction);
            }
        }
    }

    fn uniform(&mut self, lo: f64, hi: f64, n: usize) {
        for _ in 0..n {
            let x = lo + (hi - lo) * self.unit();
            self.out.push(self.format.encode(x));
        }
    }

    /// A number and its neighbours, `n` on either side.
    fn around(&mut self, x: f64, n: u64) {
        let bits = self.format.encode(x);
        for d in 0..=n {
            self.out.extend([bits.wrapping_add(d), bits.wrapping_sub(d)]);
        }
    }

    /// The numbers next to k pi/2, for all small k and for random ones of any size.
    fn multiples_of_half_pi(&mut self, n: u64) {
        for k in 1..=n {
            self.around(k as f64 * std::f64::consts::FRAC_PI_2, 1);
            let size = self.unit() * f64::from(self.format.most);
            let x = (self.unit() + 0.5) * ldexp(1.0, size as i32);
            self.around(x, 0);
        }
        // The worst cases of the reduction: W. Kahan and S. McDonald for binary64 and (found by the same search) binary32.
        self.around(ldexp(6381956970095103.0, 797), 2);
        self.around(ldexp(16367173.0, 72), 2);
    }

    fn special(&mut self, n: u64) {
        let format = self.format;
        let largest = ldexp(2.0 - ldexp(1.0, 1 - format.digits), format.most);
        let places = [0.0, 1.0, 0.5, 2.0, 3.0, 4.0, 0.25, 10.0, 0.925, 0.55, 0.625, 0.75, 1.5, 2.5, 8.0, 40.0];
        let ends = [88.72, 103.9, 87.33, 709.78, 745.13, 708.39, 710.47, 89.41, largest, ldexp(1.0, format.least)];
        let last = [
            0.3465735903,
            std::f64::consts::LN_2,
            1.0986122887,
            std::f64::consts::SQRT_2,
            std::f64::consts::FRAC_1_SQRT_2,
        ];
        for x in [&places[..], &ends, &last].concat() {
            self.around(x, n);
            self.around(-x, n);
        }
        self.out.extend([f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(|x| format.encode(x)));
    }
}

/// Pairs of all magnitudes, of like magnitude, near the diagonal, all pairs of special values; for powers, pairs whose
/// result is in range.
fn pairs(name: &str, format: Format, density: Density) -> Vec<Vec<u64>> {
    let n = if density == Density::Dense { 1 << 18 } else { 1 << 11 };
    let mut s = Sweep { format, rng: Rng::new(11), out: vec![] };
    let (mut x, mut y) = (vec![], vec![]);
    let mut push = |a: u64, b: u64| {
        x.push(a);
        y.push(b);
    };
    for _ in 0..n {
        let (a, b) = (s.any(), s.any());
        push(a, b);
        // The exponents at most 63 apart.
        let m = format.digits - 1;
        let fields = (1u64 << (format.width() as i32 - 1 - m)) - 1;
        let field = ((a >> m & fields) + s.rng.bits() % 127).saturating_sub(63).min(fields - 1);
        push(a, b & !(fields << m) | field << m);
        push(a, a.wrapping_add(s.rng.bits() % 16).wrapping_sub(8));
        push(format.encode(s.unit() * 16.0 - 8.0), format.encode(s.unit() * 16.0 - 8.0));
        if name == "power" {
            let base = match s.rng.bits() % 4 {
                0 => 1.0 + (s.unit() - 0.5) * ldexp(1.0, -((s.rng.bits() % 50) as i32)),
                1 => s.unit() * 2.0,
                _ => format.decode(s.any()).abs(),
            };
            let base = format.decode(format.encode(base));
            let log = base.ln();
            if log != 0.0 && log.is_finite() {
                let reach = f64::from(format.most + format.digits) * 0.72;
                push(format.encode(base), format.encode((s.unit() * 2.0 - 1.0) * reach / log));
                push(format.encode(-base), format.encode(((s.unit() * 2.0 - 1.0) * reach / log).round()));
            }
        }
    }
    let special = [
        0.0,
        1.0,
        0.5,
        2.0,
        3.0,
        1.5,
        1e-45,
        5e-324,
        ldexp(1.0, format.least),
        ldexp(1.0, format.most),
        1e10,
        8388609.0,
        16777216.0,
        33554433.0,
        4503599627370497.0,
        9007199254740993.0,
        0.99999994,
        1.0 - 1e-16,
        1e300,
        f64::INFINITY,
        f64::NAN,
    ];
    for a in special {
        for b in special {
            for (i, j) in [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)] {
                push(format.encode(i * a), format.encode(j * b));
            }
        }
    }
    vec![x, y]
}
