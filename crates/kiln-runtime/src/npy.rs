//! Tensors from and to NumPy's `.npy` and `.npz` files.
//!
//! NumPy has no bf16, no floats of 8 bits and less, no integers of 4 and 2 bits. Files hold them as integers of the width in memory:
//! the bits of floats as unsigned integers, small integers as `int8` and `uint8`. Arrays of raw bytes (`V1`, `V2`, as NumPy saves the
//! types of ml_dtypes) are read as unsigned integers. Reinterpreting them ([`kiln_ir::Tensor::from_bytes`]) is the caller's part, who
//! knows the real type.

use crate::error::RunError;
use kiln_ir::{DType, DTypeClass, Tensor};
use npyz::{NpyHeader, Order};
use std::io::{Cursor, Read, Write};
use std::path::Path;

/// A tensor from the bytes of a `.npy` file, in C or Fortran order and of either byte order.
///
/// # Errors
/// What is wrong with the bytes, or an element type that kiln has not.
pub fn decode(bytes: &[u8]) -> Result<Tensor, String> {
    let mut data = bytes;
    let header = NpyHeader::from_reader(&mut data).map_err(|e| e.to_string())?;
    let shape: Vec<usize> =
        header.shape().iter().map(|&n| usize::try_from(n)).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    let descr = header.dtype().descr();
    let descr = descr.trim_matches('\'');
    let dtype = dtype_of(descr.trim_start_matches(['<', '|', '=', '>']))
        .ok_or_else(|| format!("element type {descr} is not supported"))?;
    let expected = shape.iter().try_fold(dtype.size(), |a, &n| a.checked_mul(n)).ok_or("the size overflows")?;
    if expected > data.len() {
        return Err(format!("shape {shape:?} needs {expected} bytes, the file has {}", data.len()));
    }
    let mut data = data[..expected].to_vec();
    if descr.starts_with('>') {
        data.chunks_exact_mut(dtype.align()).for_each(<[u8]>::reverse);
    }
    if header.order() == Order::Fortran {
        data = from_fortran(&data, &shape, dtype.size());
    }
    if dtype == DType::Bool {
        data.iter_mut().for_each(|b| *b = u8::from(*b != 0));
    }
    Tensor::from_bytes(dtype, shape, &data).map_err(|e| e.to_string())
}

/// The element type of NumPy's code for it, without the byte order.
fn dtype_of(code: &str) -> Option<DType> {
    match code {
        "?" => Some(DType::Bool),
        // Raw bytes.
        "V1" => Some(DType::U8),
        "V2" => Some(DType::U16),
        _ => DType::ALL.into_iter().find(|d| in_numpy(*d) && code_of(*d)[1..] == *code),
    }
}

/// Whether NumPy has the type.
fn in_numpy(dtype: DType) -> bool {
    dtype.bits() >= 8 && dtype.class() != DTypeClass::Mini && dtype != DType::BF16
}

/// NumPy's code for the elements of a file, byte order included.
fn code_of(dtype: DType) -> String {
    let class = match dtype.class() {
        DTypeClass::Bool => 'b',
        DTypeClass::Signed => 'i',
        DTypeClass::Float if dtype != DType::BF16 => 'f',
        DTypeClass::Unsigned | DTypeClass::Mini | DTypeClass::Float => 'u',
        DTypeClass::Complex => 'c',
    };
    let order = if dtype.size() == 1 { '|' } else { '<' };
    format!("{order}{class}{}", dtype.size())
}

/// Elements of `size` bytes, the first index running fastest, in row-major order.
fn from_fortran(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut index = vec![0usize; shape.len()];
    let mut out = Vec::with_capacity(data.len());
    for _ in 0..data.len() / size {
        let mut at = 0;
        for (i, n) in index.iter().zip(shape).rev() {
            at = at * n + i;
        }
        out.extend_from_slice(&data[at * size..(at + 1) * size]);
        for d in (0..shape.len()).rev() {
            index[d] += 1;
            if index[d] < shape[d] {
                break;
            }
            index[d] = 0;
        }
    }
    out
}

/// Bytes that the header of a `.npy` file is padded to a multiple of.
const HEADER_ALIGN: usize = 64;

/// The bytes of a `.npy` file (version 1.0); the module's introduction says how types that NumPy has not are stored.
///
/// # Errors
/// For a tensor of so many dimensions that the header gets too long.
pub fn encode(tensor: &Tensor) -> Result<Vec<u8>, String> {
    let sizes: String = tensor.shape().iter().map(|n| format!("{n}, ")).collect();
    // Written as Python does: `(3,)`, `(2, 3)`, `()`.
    let sizes = if tensor.rank() == 1 { sizes.trim_end().to_owned() } else { sizes.trim_end_matches(", ").to_owned() };
    let code = code_of(tensor.dtype());
    let mut header = format!("{{'descr': '{code}', 'fortran_order': False, 'shape': ({sizes}), }}");
    const PREFIX: usize = 10;
    let length = (PREFIX + header.len() + 1).next_multiple_of(HEADER_ALIGN);
    header += &" ".repeat(length - PREFIX - header.len() - 1);
    header.push('\n');
    let stored = u16::try_from(header.len()).map_err(|_| format!("{} dimensions are too many", tensor.rank()))?;
    let mut out = Vec::with_capacity(length + tensor.bytes().len());
    out.extend_from_slice(b"\x93NUMPY\x01\x00");
    out.extend_from_slice(&stored.to_le_bytes());
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(tensor.bytes());
    Ok(out)
}

fn io_error(path: &Path) -> impl Fn(std::io::Error) -> RunError + '_ {
    move |source| RunError::Io { path: path.display().to_string(), source }
}

fn file_error(path: &Path, reason: impl ToString) -> RunError {
    RunError::File { path: path.display().to_string(), reason: reason.to_string() }
}

/// Reads a `.npy` file.
///
/// # Errors
/// When the file cannot be read or is not one.
pub fn read_npy(path: impl AsRef<Path>) -> Result<Tensor, RunError> {
    let path = path.as_ref();
    decode(&std::fs::read(path).map_err(io_error(path))?).map_err(|e| file_error(path, e))
}

/// Writes a `.npy` file.
///
/// # Errors
/// When the file cannot be written.
pub fn write_npy(path: impl AsRef<Path>, tensor: &Tensor) -> Result<(), RunError> {
    let path = path.as_ref();
    let bytes = encode(tensor).map_err(|e| file_error(path, e))?;
    crate::file::write_atomically(path, |out| out.write_all(&bytes))
}

/// Largest array of a `.npz` file, in bytes: a small file may unpack to a very large one.
const MAX_ARRAY: u64 = 1 << 36;

/// Reads all arrays of a `.npz` file, in its order.
///
/// # Errors
/// When the file cannot be read or is not one.
pub fn read_npz(path: impl AsRef<Path>) -> Result<Vec<(String, Tensor)>, RunError> {
    let path = path.as_ref();
    let file = std::fs::File::open(path).map_err(io_error(path))?;
    let mut archive = zip::ZipArchive::new(file).map_err(|e| file_error(path, e))?;
    let mut out = Vec::new();
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|e| file_error(path, e))?;
        let name = entry.name().map_err(|e| file_error(path, e))?.trim_end_matches(".npy").to_owned();
        let mut bytes = Vec::new();
        (&mut entry).take(MAX_ARRAY).read_to_end(&mut bytes).map_err(io_error(path))?;
        if bytes.len() as u64 == MAX_ARRAY {
            return Err(file_error(path, format!("{name}: more than {MAX_ARRAY} bytes")));
        }
        out.push((name.clone(), decode(&bytes).map_err(|e| file_error(path, format!("{name}: {e}")))?));
    }
    Ok(out)
}

/// Writes arrays as an uncompressed `.npz` file.
///
/// # Errors
/// When the file cannot be written.
pub fn write_npz(path: impl AsRef<Path>, arrays: &[(&str, &Tensor)]) -> Result<(), RunError> {
    let path = path.as_ref();
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, tensor) in arrays {
        let bytes = encode(tensor).map_err(|e| file_error(path, format!("{name}: {e}")))?;
        zip.start_file(format!("{name}.npy"), options).map_err(|e| file_error(path, e))?;
        zip.write_all(&bytes).map_err(io_error(path))?;
    }
    let bytes = zip.finish().map_err(|e| file_error(path, e))?.into_inner();
    crate::file::write_atomically(path, |out| out.write_all(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let t = Tensor::from_vec([2, 3], vec![1.5f32, -0.0, f32::NAN, 4.0, 5.0, 6.0]).expect("made");
        assert_eq!(decode(&encode(&t).expect("encoded")).expect("decoded"), t);
        let t = Tensor::from_vec([3], vec![true, false, true]).expect("made");
        assert_eq!(decode(&encode(&t).expect("encoded")).expect("decoded"), t);
    }

    #[test]
    fn every_type_keeps_its_bytes() {
        for dtype in DType::ALL {
            let bytes = vec![1u8; 6 * dtype.size()];
            let t = Tensor::from_bytes(dtype, [3, 2], &bytes).expect("made");
            let back = decode(&encode(&t).expect("encoded")).expect("decoded");
            assert_eq!((back.shape(), back.bytes()), (t.shape(), t.bytes()), "{dtype}");
            let own = dtype_of(code_of(dtype).trim_start_matches(['<', '|'])) == Some(dtype);
            assert_eq!(back.dtype() == dtype, own, "{dtype}");
        }
    }

    #[test]
    fn headers_are_those_of_numpy() {
        let text = |t: &Tensor| String::from_utf8_lossy(&encode(t).expect("encoded")[10..]).into_owned();
        let t = Tensor::zeros(DType::C64, [3]).expect("made");
        assert!(text(&t).starts_with("{'descr': '<c8', 'fortran_order': False, 'shape': (3,), }"));
        assert!(text(&Tensor::scalar(1i8)).contains("'shape': ()"));
        assert!(text(&Tensor::zeros(DType::F32, [2, 3]).expect("made")).contains("'shape': (2, 3)"));
        assert_eq!(encode(&t).expect("encoded").len(), 128 + 24);
    }

    #[test]
    fn byte_order_and_raw_bytes_are_read() {
        let mut swapped = encode(&Tensor::from_vec([2], vec![0x0102u16, 0xff00]).expect("made")).expect("encoded");
        let at = swapped.iter().position(|&b| b == b'<').expect("a byte order");
        swapped[at] = b'>';
        assert_eq!(decode(&swapped).expect("decoded"), Tensor::from_vec([2], vec![0x0201u16, 0x00ff]).expect("made"));
        let mut raw = encode(&Tensor::from_vec([2], vec![0x3f80u16, 0]).expect("made")).expect("encoded");
        raw[at..at + 3].copy_from_slice(b"|V2");
        assert_eq!(decode(&raw).expect("decoded"), Tensor::from_vec([2], vec![0x3f80u16, 0]).expect("made"));
    }

    #[test]
    fn fortran_order_is_turned() {
        assert_eq!(from_fortran(&[1, 4, 2, 5, 3, 6], &[2, 3], 1), [1, 2, 3, 4, 5, 6]);
        assert_eq!(from_fortran(&[1, 9, 4, 9, 2, 8, 5, 8], &[2, 2], 2), [1, 9, 2, 8, 4, 9, 5, 8]);
    }

    #[test]
    fn truncated_files_are_errors() {
        let bytes = encode(&Tensor::scalar(1.0f64)).expect("encoded");
        for n in 0..bytes.len() {
            assert!(decode(&bytes[..n]).is_err(), "{n}");
        }
    }
}
