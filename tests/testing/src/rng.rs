//! Random numbers that are the same everywhere: tests must not depend on a crate's stream of them.

/// splitmix64 (Steele, Lea, Flood 2014), from this state.
///
/// ```
/// use kiln_testing::Rng;
/// assert_eq!(Rng(0).bits(), 0xe220_a839_7b1d_cdaf);
/// ```
#[derive(Clone, Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// A generator of this seed, away from the states that seeds of small numbers share bits with.
    pub fn new(seed: u64) -> Rng {
        Rng(seed ^ 0x5DEE_CE66_D1CE_4E5B)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `[0, n)`; 0 for an `n` of 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A number in `[low, high]`.
    pub fn range(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1) as usize) as i64
    }

    /// True with probability `1/n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `[-1, 1)`.
    pub fn signed_unit(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }

    /// One of the elements, of which there is one at least.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// The numbers `0..n` in random order.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut p: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            p.swap(i, self.below(i + 1));
        }
        p
    }

    /// `k` of the numbers `0..n`, ascending.
    pub fn subset(&mut self, n: usize, k: usize) -> Vec<usize> {
        let mut s = self.permutation(n);
        s.truncate(k);
        s.sort_unstable();
        s
    }

    /// At least one and fewer than two to this power, small numbers more often than large ones.
    pub fn few(&mut self, power: usize) -> usize {
        let most = 1 << self.below(power);
        1 + self.below(most)
    }

    /// A range within `[0, n)`, short ones more often than long ones.
    pub fn span(&mut self, n: usize) -> std::ops::Range<usize> {
        let start = self.below(n);
        let longest = (n - start).min(1 << self.below(12));
        start..start + self.below(longest + 1)
    }
}
