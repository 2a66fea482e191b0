//! Vectors of floats for the kernels that are written once for all instruction sets.
//!
//! A kernel is a [`Task`], generic over the [`Vector`] type; [`vectorize`] compiles it once per instruction set and
//! runs the instance that the processor has. Everything below `Task::run` must be inlined into it
//! (`#[inline(always)]`), or its instructions would be those of the portable target.

pub(crate) mod lines;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::element::Element;
use crate::gemm::tile::TileElement;
use crate::isa::Isa;

/// Bytes of a block: what one index of the lane-parallel kernels holds for each part of a number. A multiple of the
/// width of every vector type, so layouts do not depend on the processor.
pub(crate) const BLOCK_BYTES: usize = 64;

/// The most that [`Real::LANES`] is.
pub(crate) const MAX_LANES: usize = 16;

/// The float types that vectors are made of.
pub(crate) trait Real: Element<Packed = Self> + TileElement + PartialOrd + core::fmt::Debug {
    /// Elements of a block.
    const LANES: usize;
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Not a number.
    const NAN: Self;

    /// Vectors of the portable target.
    type Portable: Vector<Elem = Self>;
    /// Vectors of AVX2.
    type Avx2: Vector<Elem = Self>;
    /// Vectors of AVX-512.
    type Avx512: Vector<Elem = Self>;

    /// The nearest value.
    fn of(x: f64) -> Self;
    /// The same value as f64.
    fn to_f64(self) -> f64;
    /// Correctly rounded square root.
    fn sqrt(self) -> Self;
    /// Magnitude.
    fn abs(self) -> Self;
    /// `self + b`.
    fn add(self, b: Self) -> Self;
    /// `self - b`.
    fn sub(self, b: Self) -> Self;
    /// `self * b`.
    fn mul(self, b: Self) -> Self;
    /// `self / b`.
    fn div(self, b: Self) -> Self;
    /// `-self`.
    fn neg(self) -> Self;
}

/// Several floats that are computed with at once.
///
/// The arithmetic is safe to write but may use instructions that not every processor has: implementations are used
/// only by code inside of [`vectorize`].
pub(crate) trait Vector: Copy {
    /// The element type.
    type Elem: Real;
    /// Number of elements: even, a divisor of [`Real::LANES`].
    const LANES: usize;

    /// Reads elements at any address.
    ///
    /// # Safety
    /// `LANES` elements are readable.
    unsafe fn load(from: *const Self::Elem) -> Self;
    /// Writes elements at any address.
    ///
    /// # Safety
    /// `LANES` elements are writable.
    unsafe fn store(self, to: *mut Self::Elem);
    /// All elements equal.
    fn splat(x: Self::Elem) -> Self;
    /// `self + b`.
    fn add(self, b: Self) -> Self;
    /// `self - b`.
    fn sub(self, b: Self) -> Self;
    /// `self * b`.
    fn mul(self, b: Self) -> Self;
    /// `self / b`.
    fn div(self, b: Self) -> Self;
    /// `self * b + c`, fused where the instruction set has it.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// `c - self * b`, fused where the instruction set has it.
    fn neg_mul_add(self, b: Self, c: Self) -> Self;
    /// Real and imaginary parts of `2 * LANES / 2` complex numbers given as pairs in two vectors. The order of the
    /// numbers is that of [`Vector::interleave`], not that of memory.
    fn deinterleave(a: Self, b: Self) -> (Self, Self);
    /// The inverse of [`Vector::deinterleave`].
    fn interleave(re: Self, im: Self) -> (Self, Self);
    /// Transposes the square matrix of complex numbers whose rows are the first `LANES / 2` vectors.
    fn transpose(rows: [Self; 8]) -> [Self; 8];
}

/// A kernel.
pub(crate) trait Task<T: Real> {
    /// Runs with vectors of one type. Implementations are `#[inline(always)]`, and so is all that they call.
    ///
    /// # Safety
    /// The processor has the instructions of `V`; whatever the task itself asks for.
    unsafe fn run<V: Vector<Elem = T>>(self);
}

/// Runs a task with the vectors of an instruction set.
///
/// # Safety
/// The instruction set is available; whatever the task asks for.
pub(crate) unsafe fn vectorize<T: Real, K: Task<T>>(isa: Isa, task: K) {
    // SAFETY: as the caller promises.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => x86::avx2(task),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => x86::avx512(task),
            #[cfg(not(target_arch = "x86_64"))]
            Isa::Avx2 | Isa::Avx512 => task.run::<T::Portable>(),
            Isa::Portable => task.run::<T::Portable>(),
        }
    }
}

macro_rules! real {
    ($type:ty, $portable:ty, $avx2:ident, $avx512:ident) => {
        impl Real for $type {
            const LANES: usize = BLOCK_BYTES / size_of::<$type>();
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NAN: Self = <$type>::NAN;
            type Portable = $portable;
            #[cfg(target_arch = "x86_64")]
            type Avx2 = x86::$avx2;
            #[cfg(target_arch = "x86_64")]
            type Avx512 = x86::$avx512;
            #[cfg(not(target_arch = "x86_64"))]
            type Avx2 = $portable;
            #[cfg(not(target_arch = "x86_64"))]
            type Avx512 = $portable;

            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $type
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                <$type>::sqrt(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                <$type>::abs(self)
            }
            #[inline(always)]
            fn add(self, b: Self) -> Self {
                self + b
            }
            #[inline(always)]
            fn sub(self, b: Self) -> Self {
                self - b
            }
            #[inline(always)]
            fn mul(self, b: Self) -> Self {
                self * b
            }
            #[inline(always)]
            fn div(self, b: Self) -> Self {
                self / b
            }
            #[inline(always)]
            fn neg(self) -> Self {
                -self
            }
        }
    };
}

real!(f32, portable::Portable<f32, 4>, F32x8, F32x16);
real!(f64, portable::Portable<f64, 2>, F64x4, F64x8);

#[cfg(test)]
mod tests {
    use super::*;

    struct RoundTrip<'a, T>(&'a mut Vec<T>);

    impl<T: Real> Task<T> for RoundTrip<'_, T> {
        #[inline(always)]
        unsafe fn run<V: Vector<Elem = T>>(self) {
            let count = V::LANES / 2;
            let input: Vec<T> = (0..V::LANES * count).map(|i| T::of(i as f64)).collect();
            let mut rows = [V::splat(T::ZERO); 8];
            for (r, row) in rows.iter_mut().take(count).enumerate() {
                // SAFETY: input and output hold `count` vectors, and `r` is below `count`.
                *row = unsafe { V::load(input.as_ptr().add(r * V::LANES)) };
            }
            let mut output = vec![T::ZERO; input.len()];
            for (r, row) in V::transpose(rows).iter().take(count).enumerate() {
                // SAFETY: input and output hold `count` vectors, and `r` is below `count`.
                unsafe { row.store(output.as_mut_ptr().add(r * V::LANES)) };
            }
            for i in 0..count {
                for j in 0..count {
                    for part in 0..2 {
                        assert_eq!(output[(j * count + i) * 2 + part], input[(i * count + j) * 2 + part]);
                    }
                }
            }
            let (re, im) = V::deinterleave(rows[0], rows[1 % count]);
            let (a, b) = V::interleave(re, im);
            let mut parts = vec![T::ZERO; 4 * V::LANES];
            for (at, v) in [re, im, a, b].into_iter().enumerate() {
                // SAFETY: `parts` has room for four vectors, and `at` is below four.
                unsafe { v.store(parts.as_mut_ptr().add(at * V::LANES)) };
            }
            assert!(parts[..V::LANES].iter().all(|x| x.to_f64() % 2.0 == 0.0));
            assert!(parts[V::LANES..2 * V::LANES].iter().all(|x| x.to_f64() % 2.0 == 1.0));
            self.0.extend(&parts[2 * V::LANES..]);
        }
    }

    fn check<T: Real>() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let mut parts = Vec::new();
            // SAFETY: the loop visits only sets of instructions that this processor has.
            unsafe { vectorize::<T, _>(isa, RoundTrip(&mut parts)) };
            let lanes = parts.len() / 2;
            let second = if lanes == 2 { 0 } else { lanes };
            let expected = (0..lanes).chain(second..second + lanes);
            assert!(parts.iter().map(|x| x.to_f64() as usize).eq(expected), "{isa:?}: {parts:?}");
        }
    }

    #[test]
    fn moving_elements_loses_none() {
        check::<f32>();
        check::<f64>();
    }
}
