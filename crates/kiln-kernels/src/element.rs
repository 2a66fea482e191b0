//! Element types as Rust types: how each is loaded, combined and stored.

use crate::half_bits::{bf16_to_f32, f16_to_f32, f32_to_bf16, f32_to_f16};

/// A type that sums of products are computed in, and that packed panels hold.
pub(crate) trait Packed: Copy + Send + Sync + PartialEq + 'static {
    /// The value that padding has and that sums start from.
    const ZERO: Self;

    /// `a * b + c`, as two operations or one, whichever is fast without knowing the processor.
    fn mul_add(a: Self, b: Self, c: Self) -> Self;

    /// `a * b + c` in one operation where there is one: fast only in code compiled for processors that have it.
    fn fused(a: Self, b: Self, c: Self) -> Self;

    /// `a + b`.
    fn add(a: Self, b: Self) -> Self;
}

/// A type that operands hold in memory.
pub(crate) trait Element: Copy + Send + Sync + 'static {
    /// What it is computed in.
    type Packed: Packed;

    /// Whether elements are computed with as they are: `Packed` is this type.
    const IN_PLACE: bool;

    /// The value as computed with.
    fn widen(self) -> Self::Packed;

    /// The nearest value to a result.
    fn narrow(value: Self::Packed) -> Self;

    /// Copies `to[p * width + i] = from[i][p]` for `i < 4`, `p < 4`.
    ///
    /// # Safety
    /// All sixteen elements are readable, all sixteen destinations writable.
    #[inline(always)]
    unsafe fn transpose4(from: [*const Self; 4], to: *mut Self::Packed, width: usize) {
        for p in 0..4 {
            for i in 0..4 {
                // SAFETY: as the caller promises.
                unsafe { *to.add(p * width + i) = (*from[i].add(p)).widen() };
            }
        }
    }
}

/// An element that is computed with as it is in memory.
macro_rules! as_it_is {
    ($type:ty $(, $transpose:item)?) => {
        impl Element for $type {
            type Packed = $type;

            const IN_PLACE: bool = true;

            #[inline(always)]
            fn widen(self) -> $type {
                self
            }

            #[inline(always)]
            fn narrow(value: $type) -> $type {
                value
            }

            $($transpose)?
        }
    };
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl Packed for $type {
            const ZERO: Self = 0;

            #[inline(always)]
            fn mul_add(a: Self, b: Self, c: Self) -> Self {
                a.wrapping_mul(b).wrapping_add(c)
            }

            #[inline(always)]
            fn fused(a: Self, b: Self, c: Self) -> Self {
                <Self as Packed>::mul_add(a, b, c)
            }

            #[inline(always)]
            fn add(a: Self, b: Self) -> Self {
                a.wrapping_add(b)
            }
        }

        as_it_is!($type);
    )*};
}

macro_rules! float {
    ($type:ty $(, $transpose:item)?) => {
        impl Packed for $type {
            const ZERO: Self = 0.0;

            #[inline(always)]
            fn mul_add(a: Self, b: Self, c: Self) -> Self {
                // A fused operation is a library call on processors that might lack it.
                if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
                    <$type>::mul_add(a, b, c)
                } else {
                    a * b + c
                }
            }

            #[inline(always)]
            fn fused(a: Self, b: Self, c: Self) -> Self {
                <$type>::mul_add(a, b, c)
            }

            #[inline(always)]
            fn add(a: Self, b: Self) -> Self {
                a + b
            }
        }

        as_it_is!($type $(, $transpose)?);
    };
}

integer!(i8, i16, i32, i64, u8, u16, u32, u64);
float!(f64);
float!(
    f32,
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn transpose4(from: [*const f32; 4], to: *mut f32, width: usize) {
        use core::arch::x86_64::*;
        // SAFETY: as the caller promises; SSE is part of x86-64.
        unsafe {
            let [mut r0, mut r1, mut r2, mut r3] = from.map(|row| _mm_loadu_ps(row));
            _MM_TRANSPOSE4_PS(&mut r0, &mut r1, &mut r2, &mut r3);
            _mm_storeu_ps(to, r0);
            _mm_storeu_ps(to.add(width), r1);
            _mm_storeu_ps(to.add(2 * width), r2);
            _mm_storeu_ps(to.add(3 * width), r3);
        }
    }
);

/// A truth value in a byte: 0 is false, anything else true; results are 0 or 1.
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(transparent)]
pub(crate) struct Truth(pub(crate) u8);

impl Packed for Truth {
    const ZERO: Self = Truth(0);

    #[inline(always)]
    fn mul_add(a: Self, b: Self, c: Self) -> Self {
        Truth(a.0 & b.0 | c.0)
    }

    #[inline(always)]
    fn fused(a: Self, b: Self, c: Self) -> Self {
        Packed::mul_add(a, b, c)
    }

    #[inline(always)]
    fn add(a: Self, b: Self) -> Self {
        Truth(a.0 | b.0)
    }
}

impl Element for Truth {
    type Packed = Truth;

    // Bytes other than 0 and 1 are normalized when they are packed.
    const IN_PLACE: bool = false;

    #[inline(always)]
    fn widen(self) -> Truth {
        Truth((self.0 != 0) as u8)
    }

    #[inline(always)]
    fn narrow(value: Truth) -> Truth {
        Truth((value.0 != 0) as u8)
    }
}

/// The bits of an IEEE binary16.
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(transparent)]
pub(crate) struct F16(pub(crate) u16);

/// The bits of a bfloat16.
#[derive(Clone, Copy, PartialEq, Debug)]
#[repr(transparent)]
pub(crate) struct Bf16(pub(crate) u16);

impl Element for F16 {
    type Packed = f32;

    const IN_PLACE: bool = false;

    #[inline(always)]
    fn widen(self) -> f32 {
        f16_to_f32(self.0)
    }

    #[inline(always)]
    fn narrow(value: f32) -> F16 {
        F16(f32_to_f16(value))
    }
}

impl Element for Bf16 {
    type Packed = f32;

    const IN_PLACE: bool = false;

    #[inline(always)]
    fn widen(self) -> f32 {
        bf16_to_f32(self.0)
    }

    #[inline(always)]
    fn narrow(value: f32) -> Bf16 {
        Bf16(f32_to_bf16(value))
    }
}

/// Calls a generic function for the Rust type of a native [`kiln_ir::DType`].
macro_rules! with_element {
    ($dtype:expr, $type:ident => $body:expr) => {
        $crate::element::with_element!(@ $dtype, $type, $body,
            Bool $crate::element::Truth, I8 i8, I16 i16, I32 i32, I64 i64, U8 u8, U16 u16, U32 u32, U64 u64,
            F16 $crate::element::F16, BF16 $crate::element::Bf16, F32 f32, F64 f64)
    };
    (@ $dtype:expr, $type:ident, $body:expr, $($variant:ident $rust:ty),*) => {
        match $dtype {
            $(kiln_ir::DType::$variant => {
                type $type = $rust;
                $body
            })*
            other => unreachable!("{other} is refused when parameters are checked"),
        }
    };
}

pub(crate) use with_element;
