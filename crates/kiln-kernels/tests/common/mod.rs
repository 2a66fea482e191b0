//! What the kernel tests share: typed operands, calls through the ABI, comparison with a reference.
#![allow(dead_code, reason = "each test crate uses a part")]

mod guarded;

use guarded::Guarded;
use kiln_ir::DType;
use kiln_kernels::{CpuCall, Isa, RunContext, ThreadPool, abi, call_info};
use kiln_program::call::{Call, CallParams};
pub use kiln_testing::Rng;

/// An operand: elements of some type, with an inaccessible page behind the last.
#[derive(Clone)]
pub struct Values {
    dtype: DType,
    memory: Guarded,
    len: usize,
}

impl Values {
    pub fn zeros(dtype: DType, len: usize) -> Values {
        Values { dtype, memory: Guarded::new(len * dtype.size()), len }
    }

    /// Raw bytes, for workspaces and packed operands.
    pub fn bytes(len: usize) -> Values {
        Values::zeros(DType::U8, len)
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.memory.as_slice()
    }

    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        self.memory.as_mut_slice()
    }

    /// The bits of an element.
    fn bits(&self, at: usize) -> u64 {
        let size = self.dtype.size();
        let mut word = [0; 8];
        word[..size].copy_from_slice(&self.as_bytes()[at * size..][..size]);
        u64::from_le_bytes(word)
    }

    /// The element as f64; exact for all but large 64-bit integers.
    pub fn float(&self, at: usize) -> f64 {
        if self.is_float() { self.dtype.decode(self.bits(at)) } else { self.integer(at) as f64 }
    }

    /// The element as an integer; 0 for floats.
    pub fn integer(&self, at: usize) -> i128 {
        match self.dtype {
            DType::Bool => i128::from(self.bits(at) != 0),
            int if int.is_int() => int.decode_int(self.bits(at)),
            _ => 0,
        }
    }

    pub fn is_float(&self) -> bool {
        self.dtype.is_float()
    }

    /// Sets a float element.
    pub fn set(&mut self, at: usize, value: f64) {
        assert!(self.is_float());
        let (size, bits) = (self.dtype.size(), self.dtype.encode(value).to_le_bytes());
        self.as_bytes_mut()[at * size..][..size].copy_from_slice(&bits[..size]);
    }
}

/// Decoded elements; integers only of integer types.
pub struct Reader {
    pub floats: Vec<f64>,
    pub integers: Vec<i128>,
}

impl Reader {
    pub fn new(values: &Values) -> Reader {
        let all = 0..values.len();
        Reader {
            floats: all.clone().map(|at| values.float(at)).collect(),
            integers: if values.is_float() { Vec::new() } else { all.map(|at| values.integer(at)).collect() },
        }
    }
}

/// Floats uniform in -1..1; integers over their whole range, so that products wrap; truth values of any byte.
pub fn random_values(dtype: DType, len: usize, rng: &mut Rng) -> Values {
    let mut values = Values::zeros(dtype, len);
    match dtype {
        DType::F16 | DType::BF16 | DType::F32 | DType::F64 => {
            for at in 0..len {
                values.set(at, rng.signed_unit());
            }
        }
        DType::Bool => {
            for byte in values.as_bytes_mut() {
                // Mostly false, or every `or` would be true.
                *byte = if rng.below(5) == 0 { [1, 2, 255][rng.below(3)] } else { 0 };
            }
        }
        _ => {
            for byte in values.as_bytes_mut() {
                *byte = rng.bits() as u8;
            }
        }
    }
    values
}

pub fn available_isas() -> impl Iterator<Item = Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available())
}

/// Checks a call's inputs and outputs, given their sizes in bytes; tables and workspace are as large as they have to be.
pub fn check_bounds(op: &Call, operand_bytes: &[usize]) -> Result<(), String> {
    op.validate()?;
    let site = call_info(op.clone());
    let extra = [site.tables, site.workspace].into_iter().filter(|&bytes| bytes > 0);
    let sizes: Vec<u64> = operand_bytes.iter().map(|&bytes| bytes as u64).chain(extra).collect();
    site.check_bounds(&sizes)
}

/// Elements that an operand needs, found as the least size that passes the bounds check (so the check itself is held
/// to the accesses of the reference).
pub fn needed_elements(op: &Call, operand: usize, dtype: DType) -> usize {
    let mut sizes = [usize::MAX; 3];
    let fits = |elements: usize, sizes: &mut [usize; 3]| {
        sizes[operand] = elements * dtype.size();
        check_bounds(op, sizes).is_ok()
    };
    let (mut low, mut high) = (0, 1 << 30);
    while low < high {
        let middle = (low + high) / 2;
        if fits(middle, &mut sizes) { high = middle } else { low = middle + 1 }
    }
    low
}

/// Calls a kernel with two inputs through the ABI.
pub fn call(op: &Call, a: &Values, b: &Values, c: &mut Values, pool: Option<&ThreadPool>) {
    let workspace_bytes = op.workspace_bytes();
    assert_eq!(workspace_bytes % 64, 0, "whole cache lines: {op:?}");
    check_bounds(op, &[a.as_bytes().len(), b.as_bytes().len(), c.as_bytes().len()]).expect("operands in bounds");
    let mut workspace = Values::bytes(workspace_bytes);
    // Nothing may be taken to be zero; these are NaNs.
    workspace.as_bytes_mut().fill(0xff);
    let ctx = RunContext {
        buffers: core::ptr::null(),
        kernels: core::ptr::null(),
        calls: core::ptr::null(),
        parallel_for: abi::parallel_for,
        pool: pool.map_or(core::ptr::null(), |pool| &raw const *pool),
    };
    let bufs = [
        a.as_bytes().as_ptr().cast_mut(),
        b.as_bytes().as_ptr().cast_mut(),
        c.as_bytes_mut().as_mut_ptr(),
        workspace.as_bytes_mut().as_mut_ptr(),
    ];
    // SAFETY: the operands passed the bounds check.
    unsafe { op.function()(&ctx, op.params_ptr(), bufs.as_ptr()) };
}

/// Calls a kernel with any inputs through the ABI, with its tables and workspace.
pub fn call_with_tables(op: &Call, inputs: &[&Values], out: &mut Values, pool: Option<&ThreadPool>) {
    let tables = op.tables();
    assert_eq!(tables.len(), op.table_bytes());
    let workspace_bytes = op.workspace_bytes();
    assert_eq!(workspace_bytes % 64, 0, "whole cache lines: {op:?}");
    // Aligned like the program's constants.
    let mut words = vec![[0u64; 8]; tables.len().div_ceil(64)];
    for (word, bytes) in words.as_flattened_mut().iter_mut().zip(tables.chunks_exact(8)) {
        *word = u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
    }
    let mut workspace = Values::bytes(workspace_bytes);
    workspace.as_bytes_mut().fill(0xff);
    let mut sizes: Vec<usize> = inputs.iter().map(|input| input.as_bytes().len()).collect();
    sizes.push(out.as_bytes().len());
    check_bounds(op, &sizes).expect("operands in bounds");
    let mut bufs: Vec<*mut u8> = inputs.iter().map(|input| input.as_bytes().as_ptr().cast_mut()).collect();
    bufs.push(out.as_bytes_mut().as_mut_ptr());
    if !tables.is_empty() {
        bufs.push(words.as_mut_ptr().cast());
    }
    if workspace_bytes > 0 {
        bufs.push(workspace.as_bytes_mut().as_mut_ptr());
    }
    let ctx = RunContext {
        buffers: core::ptr::null(),
        kernels: core::ptr::null(),
        calls: core::ptr::null(),
        parallel_for: abi::parallel_for,
        pool: pool.map_or(core::ptr::null(), |pool| &raw const *pool),
    };
    // SAFETY: the operands passed the bounds check.
    unsafe { op.function()(&ctx, op.params_ptr(), bufs.as_ptr()) };
}

/// Compares an element with the reference sum of `k` terms.
///
/// Floats: every one of the `k` products and sums is rounded once, so the error is at most `(k + 1) * eps` times the
/// sum of magnitudes, with eps of the type that sums are kept in; f16 and bf16 add half a unit of the result for the
/// rounding at the end. The reference in f64 is exact enough for f32; for f64 its own error doubles the bound.
/// Integers and truth values are exact.
pub fn assert_close(c: &Values, at: usize, sum: f64, magnitude: f64, wrapped: i128, k: usize, what: &str) {
    let found = c.float(at);
    let terms = k as f64 + 1.0;
    let narrow = |eps: f64, least: f64| terms * f32::EPSILON as f64 / 2.0 * magnitude + sum.abs() * eps / 2.0 + least;
    let bound = match c.dtype {
        DType::F16 => narrow(1.0 / 1024.0, 3e-8),
        DType::BF16 => narrow(1.0 / 128.0, 1e-40),
        DType::F32 => terms * f32::EPSILON as f64 / 2.0 * magnitude,
        DType::F64 => terms * f64::EPSILON * magnitude,
        DType::Bool => {
            let expected = (wrapped != 0) as i128;
            assert_eq!(c.as_bytes()[at] as i128, expected, "element {at}: {what}");
            return;
        }
        _ => {
            let bits = 8 * c.dtype.size();
            let mask = (1i128 << bits) - 1;
            assert_eq!(c.integer(at) & mask, wrapped & mask, "element {at}: {what}");
            return;
        }
    };
    assert!((found - sum).abs() <= bound, "element {at}: {found}, expected {sum} +- {bound:e}: {what}");
}
