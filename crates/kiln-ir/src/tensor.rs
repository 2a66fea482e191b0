//! Host tensors: dense, row-major, cheap to clone.

use crate::dtype::{DType, Element};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use std::fmt;
use std::sync::Arc;

/// Why a tensor could not be made or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TensorError {
    /// The data's length does not match the shape.
    Length {
        /// Elements that the shape asks for.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// The tensor has another element type.
    DType {
        /// The element type asked for.
        expected: DType,
        /// The tensor's.
        found: DType,
    },
    /// The byte size overflows.
    TooLarge,
    /// The system has not that much memory.
    OutOfMemory {
        /// Bytes asked for.
        bytes: usize,
    },
    /// A bool byte is neither 0 nor 1, or unused bits of a type of less than 8 bits are set.
    InvalidElement {
        /// The element type.
        dtype: DType,
    },
    /// The bytes are not aligned for the element type.
    Misaligned,
}

impl fmt::Display for TensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TensorError::Length { expected, found } => write!(f, "expected {expected} elements, found {found}"),
            TensorError::DType { expected, found } => write!(f, "expected elements of type {expected}, found {found}"),
            TensorError::OutOfMemory { bytes } => write!(f, "{bytes} bytes of memory could not be had"),
            TensorError::TooLarge => f.write_str("the tensor's size in bytes overflows"),
            TensorError::InvalidElement { dtype: DType::Bool } => f.write_str("a bool element is neither 0 nor 1"),
            TensorError::InvalidElement { dtype } => write!(f, "a byte is no element of type {dtype}"),
            TensorError::Misaligned => f.write_str("the data is not aligned for its element type"),
        }
    }
}
impl std::error::Error for TensorError {}

/// Owner of the bytes of a tensor. The bytes of one owner never move or change length.
pub trait Storage: Send + Sync {
    /// All bytes.
    fn bytes(&self) -> &[u8];
}

/// Zeroed heap memory aligned to a cache line (64 bytes).
#[derive(Clone)]
pub struct AlignedBytes {
    chunks: Vec<Line>,
    len: usize,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

impl AlignedBytes {
    /// `len` zero bytes.
    pub fn zeroed(len: usize) -> AlignedBytes {
        AlignedBytes { chunks: vec![Line([0; 64]); len.div_ceil(64)], len }
    }
    /// `len` zero bytes, or an error when the system has not that much memory.
    ///
    /// # Errors
    /// [`TensorError::OutOfMemory`].
    pub fn try_zeroed(len: usize) -> Result<AlignedBytes, TensorError> {
        let lines = len.div_ceil(64);
        let mut chunks = Vec::new();
        chunks.try_reserve_exact(lines).map_err(|_| TensorError::OutOfMemory { bytes: len })?;
        chunks.resize(lines, Line([0; 64]));
        Ok(AlignedBytes { chunks, len })
    }
    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> AlignedBytes {
        let mut b = AlignedBytes::zeroed(bytes.len());
        b.bytes_mut().copy_from_slice(bytes);
        b
    }
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the chunks are one initialized allocation of at least `len` bytes without padding.
        unsafe { std::slice::from_raw_parts(self.chunks.as_ptr().cast(), self.len) }
    }
    /// The bytes, writable.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_bytes`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.chunks.as_mut_ptr().cast(), self.len) }
    }
}
impl Storage for AlignedBytes {
    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

struct VecStorage<T>(Vec<T>);
impl<T: Element> Storage for VecStorage<T> {
    fn bytes(&self) -> &[u8] {
        as_bytes(&self.0)
    }
}

/// The bytes of a slice of elements.
pub fn as_bytes<T: Element>(s: &[T]) -> &[u8] {
    // SAFETY: `Element` types have no padding, and u8 has no alignment.
    unsafe { std::slice::from_raw_parts(s.as_ptr().cast(), std::mem::size_of_val(s)) }
}

/// A dense row-major tensor in host memory. Cloning shares the data.
#[derive(Clone)]
pub struct Tensor {
    dtype: DType,
    shape: SmallVec<[usize; 4]>,
    storage: Arc<dyn Storage>,
}

/// At most 8 bytes as the low ones of a word.
fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(word)
}

fn byte_len(dtype: DType, shape: &[usize]) -> Result<usize, TensorError> {
    shape
        .iter()
        .try_fold(dtype.size(), |a, &n| a.checked_mul(n))
        .filter(|&n| n <= isize::MAX as usize)
        .ok_or(TensorError::TooLarge)
}

impl Tensor {
    /// A tensor that takes over `data` (row-major) without copying.
    ///
    /// # Errors
    /// When the number of elements is not the product of `shape`.
    pub fn from_vec<T: Element>(shape: impl AsRef<[usize]>, data: Vec<T>) -> Result<Tensor, TensorError> {
        let shape = shape.as_ref();
        let expected = byte_len(T::DTYPE, shape)? / T::DTYPE.size();
        if expected != data.len() {
            return Err(TensorError::Length { expected, found: data.len() });
        }
        Ok(Tensor { dtype: T::DTYPE, shape: shape.into(), storage: Arc::new(VecStorage(data)) })
    }

    /// A tensor holding a copy of `data`.
    ///
    /// # Errors
    /// As [`Tensor::from_vec`].
    pub fn from_slice<T: Element>(shape: impl AsRef<[usize]>, data: &[T]) -> Result<Tensor, TensorError> {
        Tensor::from_bytes(T::DTYPE, shape, as_bytes(data))
    }

    /// A tensor holding a copy of little-endian `bytes`.
    ///
    /// # Errors
    /// When the length differs from what dtype and shape ask for, or a bool is neither 0 nor 1.
    pub fn from_bytes(dtype: DType, shape: impl AsRef<[usize]>, bytes: &[u8]) -> Result<Tensor, TensorError> {
        Tensor::from_storage(dtype, shape, Arc::new(AlignedBytes::copy_of(bytes)))
    }

    /// A tensor over an owner's bytes, without copying.
    ///
    /// # Errors
    /// As [`Tensor::from_bytes`], and when the bytes are not aligned for `dtype`.
    pub fn from_storage(
        dtype: DType,
        shape: impl AsRef<[usize]>,
        storage: Arc<dyn Storage>,
    ) -> Result<Tensor, TensorError> {
        let shape = shape.as_ref();
        let expected = byte_len(dtype, shape)?;
        let bytes = storage.bytes();
        if bytes.len() != expected {
            return Err(TensorError::Length { expected: expected / dtype.size(), found: bytes.len() / dtype.size() });
        }
        if bytes.as_ptr().align_offset(dtype.align()) != 0 {
            return Err(TensorError::Misaligned);
        }
        if !dtype.uses_every_bit() && !bytes.iter().all(|&b| dtype.is_element(b)) {
            return Err(TensorError::InvalidElement { dtype });
        }
        Ok(Tensor { dtype, shape: shape.into(), storage })
    }

    /// A scalar.
    pub fn scalar<T: Element>(value: T) -> Tensor {
        Tensor { dtype: T::DTYPE, shape: SmallVec::new(), storage: Arc::new(VecStorage(vec![value])) }
    }

    /// A scalar of any dtype: floats rounded to nearest even, integers truncated and saturated, bool true unless `x` is 0, complex
    /// numbers with imaginary part 0.
    pub fn scalar_of(dtype: DType, x: f64) -> Tensor {
        Tensor::from_words(dtype, [], [dtype.encode(x)].into_iter()).expect("one element")
    }

    /// A tensor of these numbers, converted as [`Tensor::scalar_of`] does.
    ///
    /// # Errors
    /// As [`Tensor::from_vec`].
    pub fn from_numbers(
        dtype: DType,
        shape: impl AsRef<[usize]>,
        numbers: impl IntoIterator<Item = f64>,
    ) -> Result<Tensor, TensorError> {
        Tensor::from_words(dtype, shape, numbers.into_iter().map(|x| dtype.encode(x)))
    }

    /// A tensor of these integers (of an integer type), wrapped.
    ///
    /// # Errors
    /// As [`Tensor::from_vec`].
    pub fn from_ints(
        dtype: DType,
        shape: impl AsRef<[usize]>,
        ints: impl IntoIterator<Item = i128>,
    ) -> Result<Tensor, TensorError> {
        Tensor::from_words(dtype, shape, ints.into_iter().map(|n| dtype.encode_int(n)))
    }

    /// Elements given as the low bytes of words, of complex types the real parts.
    fn from_words(
        dtype: DType,
        shape: impl AsRef<[usize]>,
        words: impl Iterator<Item = u64>,
    ) -> Result<Tensor, TensorError> {
        let shape = shape.as_ref();
        let size = dtype.size();
        let part = dtype.real_type().size();
        let len = byte_len(dtype, shape)?;
        let mut storage = AlignedBytes::try_zeroed(len)?;
        let mut found = 0;
        for word in words {
            if let Some(element) = storage.bytes_mut().get_mut(found * size..(found + 1) * size) {
                element[..part].copy_from_slice(&word.to_le_bytes()[..part]);
            }
            found += 1;
        }
        if found != len / size {
            return Err(TensorError::Length { expected: len / size, found });
        }
        Ok(Tensor { dtype, shape: shape.into(), storage: Arc::new(storage) })
    }

    /// All zeros (false).
    ///
    /// # Errors
    /// When the size in bytes overflows or memory runs out.
    pub fn zeros(dtype: DType, shape: impl AsRef<[usize]>) -> Result<Tensor, TensorError> {
        let shape = shape.as_ref();
        let bytes = byte_len(dtype, shape)?;
        Ok(Tensor { dtype, shape: shape.into(), storage: Arc::new(AlignedBytes::try_zeroed(bytes)?) })
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }
    /// Sizes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }
    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
    /// True when there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The bytes in native (little-endian) order.
    pub fn bytes(&self) -> &[u8] {
        self.storage.bytes()
    }
    /// The bytes of the element that all elements of a small tensor equal; `None` for others, for tensors without elements, and
    /// for those of more than 16 KiB, which are not searched.
    pub fn splat(&self) -> Option<&[u8]> {
        const SEARCHED: usize = 1 << 14;
        let (size, bytes) = (self.dtype().size(), self.bytes());
        if bytes.is_empty() || bytes.len() > SEARCHED {
            return None;
        }
        let first = &bytes[..size];
        bytes.chunks_exact(size).all(|c| c == first).then_some(first)
    }

    /// The elements.
    ///
    /// # Errors
    /// When `T` is not the element type.
    pub fn as_slice<T: Element>(&self) -> Result<&[T], TensorError> {
        if T::DTYPE != self.dtype {
            return Err(TensorError::DType { expected: T::DTYPE, found: self.dtype });
        }
        let bytes = self.bytes();
        // SAFETY: constructors check length, alignment and bool bytes; other element types accept any bit pattern.
        Ok(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / std::mem::size_of::<T>()) })
    }

    /// A copy of the elements.
    ///
    /// # Errors
    /// When `T` is not the element type.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, TensorError> {
        self.as_slice::<T>().map(<[T]>::to_vec)
    }

    /// The only element.
    ///
    /// # Errors
    /// When `T` is not the element type or there is not exactly one element.
    pub fn item<T: Element>(&self) -> Result<T, TensorError> {
        match self.as_slice::<T>()? {
            [one] => Ok(*one),
            other => Err(TensorError::Length { expected: 1, found: other.len() }),
        }
    }

    /// The value of the only element of an integer tensor.
    ///
    /// # Errors
    /// When the elements are no integers or there is not exactly one.
    pub fn item_int(&self) -> Result<i128, TensorError> {
        match (self.dtype.is_int(), self.len()) {
            (true, 1) => Ok(self.dtype.decode_int(word(self.bytes()))),
            (true, found) => Err(TensorError::Length { expected: 1, found }),
            (false, _) => Err(TensorError::DType { expected: DType::I64, found: self.dtype }),
        }
    }

    /// The elements as numbers: exact but for integers beyond 2^53; of complex tensors real and imaginary parts in turn.
    pub fn numbers(&self) -> Vec<f64> {
        let part = self.dtype.real_type();
        self.bytes().chunks_exact(part.size()).map(|bytes| part.decode(word(bytes))).collect()
    }

    /// The same data under another shape.
    ///
    /// # Errors
    /// When the number of elements differs.
    pub fn reshape(&self, shape: impl AsRef<[usize]>) -> Result<Tensor, TensorError> {
        Tensor::from_storage(self.dtype, shape, self.storage.clone())
    }

    /// The tensor's type.
    pub fn ty(&self) -> crate::TensorType {
        crate::TensorType::new(self.dtype, crate::Shape::from_sizes(&self.shape))
    }
}

impl Storage for Tensor {
    fn bytes(&self) -> &[u8] {
        self.storage.bytes()
    }
}

/// Equal dtype, shape and bits (so NaN equals NaN of the same bits, and -0.0 differs from 0.0).
impl PartialEq for Tensor {
    fn eq(&self, o: &Tensor) -> bool {
        self.dtype == o.dtype
            && self.shape == o.shape
            && (Arc::ptr_eq(&self.storage, &o.storage) || self.bytes() == o.bytes())
    }
}
impl Eq for Tensor {}
impl std::hash::Hash for Tensor {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.dtype, &self.shape, self.bytes()).hash(state);
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({}, {} bytes)", self.ty(), self.bytes().len())
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    dtype: DType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}
impl Serialize for Tensor {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        Wire { dtype: self.dtype, shape: self.shape.to_vec(), bytes: self.bytes().to_vec() }.serialize(s)
    }
}
impl<'de> Deserialize<'de> for Tensor {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Tensor, D::Error> {
        let w = Wire::deserialize(d)?;
        Tensor::from_bytes(w.dtype, &w.shape, &w.bytes).map_err(serde::de::Error::custom)
    }
}
