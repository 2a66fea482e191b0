//! splitmix64 (Steele, Lea, Flood 2014).

/// The generator.
pub struct Rng(u64);

impl Rng {
    /// A generator of this seed.
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

    /// At least one and fewer than two to this power, small numbers more often than large ones.
    pub fn few(&mut self, power: usize) -> usize {
        let most = 1 << self.below(power);
        1 + self.below(most)
    }

    /// One of the elements, of which there is one at least.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A range within `[0, n)`, short ones more often than long ones.
    pub fn range(&mut self, n: usize) -> std::ops::Range<usize> {
        let start = self.below(n);
        let longest = (n - start).min(1 << self.below(12));
        start..start + self.below(longest + 1)
    }
}
