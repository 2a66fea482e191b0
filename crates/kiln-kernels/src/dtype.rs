//! Element types of library kernels.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Element type of a library kernel's operands, named as in StableHLO.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum KernelDType {
    /// One byte, 0 or 1 (any other byte counts as true). Products are `and`, sums are `or`.
    Bool,
    /// Signed 8-bit integer; arithmetic wraps.
    I8,
    /// Signed 16-bit integer; arithmetic wraps.
    I16,
    /// Signed 32-bit integer; arithmetic wraps.
    I32,
    /// Signed 64-bit integer; arithmetic wraps.
    I64,
    /// Unsigned 8-bit integer; arithmetic wraps.
    U8,
    /// Unsigned 16-bit integer; arithmetic wraps.
    U16,
    /// Unsigned 32-bit integer; arithmetic wraps.
    U32,
    /// Unsigned 64-bit integer; arithmetic wraps.
    U64,
    /// IEEE binary16; sums are kept in f32 and rounded once.
    F16,
    /// bfloat16; sums are kept in f32 and rounded once.
    BF16,
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
}

impl KernelDType {
    /// All element types, in declaration order.
    pub const ALL: [KernelDType; 13] = [
        KernelDType::Bool,
        KernelDType::I8,
        KernelDType::I16,
        KernelDType::I32,
        KernelDType::I64,
        KernelDType::U8,
        KernelDType::U16,
        KernelDType::U32,
        KernelDType::U64,
        KernelDType::F16,
        KernelDType::BF16,
        KernelDType::F32,
        KernelDType::F64,
    ];

    /// Size of one element in bytes.
    pub const fn size(self) -> usize {
        match self {
            KernelDType::Bool | KernelDType::I8 | KernelDType::U8 => 1,
            KernelDType::I16 | KernelDType::U16 | KernelDType::F16 | KernelDType::BF16 => 2,
            KernelDType::I32 | KernelDType::U32 | KernelDType::F32 => 4,
            KernelDType::I64 | KernelDType::U64 | KernelDType::F64 => 8,
        }
    }

    /// The name as StableHLO writes it, for messages.
    pub const fn name(self) -> &'static str {
        match self {
            KernelDType::Bool => "i1",
            KernelDType::I8 => "i8",
            KernelDType::I16 => "i16",
            KernelDType::I32 => "i32",
            KernelDType::I64 => "i64",
            KernelDType::U8 => "ui8",
            KernelDType::U16 => "ui16",
            KernelDType::U32 => "ui32",
            KernelDType::U64 => "ui64",
            KernelDType::F16 => "f16",
            KernelDType::BF16 => "bf16",
            KernelDType::F32 => "f32",
            KernelDType::F64 => "f64",
        }
    }
}

impl fmt::Display for KernelDType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
