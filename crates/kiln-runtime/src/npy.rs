//! Tensors from and to NumPy's `.npy` and `.npz` files.

use crate::error::RunError;
use kiln_ir::{DType, Element, Tensor};
use npyz::{AutoSerialize, Deserialize, NpyFile, Order, WriterBuilder};
use std::io::{Cursor, Read, Write};
use std::path::Path;

/// A tensor from the bytes of a `.npy` file, in C or Fortran order.
///
/// # Errors
/// What is wrong with the bytes, or an element type that kiln has not.
pub fn decode(bytes: &[u8]) -> Result<Tensor, String> {
    let text = |e: std::io::Error| e.to_string();
    let file = NpyFile::new(bytes).map_err(text)?;
    let shape: Vec<usize> =
        file.shape().iter().map(|&n| usize::try_from(n)).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
    let expected = shape.iter().try_fold(1usize, |a, &n| a.checked_mul(n)).ok_or("the size overflows")?;
    if expected > bytes.len() {
        return Err(format!("shape {shape:?} needs more elements than the file has"));
    }
    let descr = file.dtype().descr();
    let descr = descr.trim_matches('\'');
    macro_rules! by_type {
        ($($code:literal => $t:ty),* $(,)?) => {
            match descr.trim_start_matches(['<', '|', '=', '>']) {
                $($code => elements::<$t>(file, &shape),)*
                _ => Err(format!("element type {descr} is not supported")),
            }
        };
    }
    by_type!("b1" => bool, "?" => bool, "i1" => i8, "i2" => i16, "i4" => i32, "i8" => i64, "u1" => u8, "u2" => u16,
        "u4" => u32, "u8" => u64, "f2" => half::f16, "f4" => f32, "f8" => f64)
}

fn elements<T: Element + Deserialize>(file: NpyFile<&[u8]>, shape: &[usize]) -> Result<Tensor, String> {
    let order = file.order();
    let data: Vec<T> = file.into_vec().map_err(|e| e.to_string())?;
    let data = match order {
        Order::C => data,
        Order::Fortran => from_fortran(&data, shape),
    };
    Tensor::from_vec(shape, data).map_err(|e| e.to_string())
}

fn from_fortran<T: Copy>(data: &[T], shape: &[usize]) -> Vec<T> {
    let mut index = vec![0usize; shape.len()];
    let mut out = Vec::with_capacity(data.len());
    for _ in 0..data.len() {
        let mut at = 0;
        for (i, n) in index.iter().zip(shape).rev() {
            at = at * n + i;
        }
        out.push(data[at]);
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

/// The bytes of a `.npy` file.
///
/// # Errors
/// For bf16, which NumPy has not.
pub fn encode(tensor: &Tensor) -> Result<Vec<u8>, String> {
    fn write<T: Element + AutoSerialize>(tensor: &Tensor) -> Result<Vec<u8>, String> {
        let data = tensor.as_slice::<T>().map_err(|e| e.to_string())?;
        let shape: Vec<u64> = tensor.shape().iter().map(|&n| n as u64).collect();
        let mut out = Vec::new();
        let io = |e: std::io::Error| e.to_string();
        let mut writer =
            npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut out).begin_nd().map_err(io)?;
        writer.extend(data.iter()).map_err(io)?;
        writer.finish().map_err(io)?;
        Ok(out)
    }
    match tensor.dtype() {
        DType::Bool => write::<bool>(tensor),
        DType::I8 => write::<i8>(tensor),
        DType::I16 => write::<i16>(tensor),
        DType::I32 => write::<i32>(tensor),
        DType::I64 => write::<i64>(tensor),
        DType::U8 => write::<u8>(tensor),
        DType::U16 => write::<u16>(tensor),
        DType::U32 => write::<u32>(tensor),
        DType::U64 => write::<u64>(tensor),
        DType::F16 => write::<half::f16>(tensor),
        DType::BF16 => Err("NumPy has no bf16: convert to f32 first".into()),
        DType::F32 => write::<f32>(tensor),
        DType::F64 => write::<f64>(tensor),
    }
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
/// When the file cannot be written, or the tensor is bf16.
pub fn write_npy(path: impl AsRef<Path>, tensor: &Tensor) -> Result<(), RunError> {
    let path = path.as_ref();
    let bytes = encode(tensor).map_err(|e| file_error(path, e))?;
    crate::session::write_atomically(path, &bytes)
}

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
        entry.read_to_end(&mut bytes).map_err(io_error(path))?;
        out.push((name.clone(), decode(&bytes).map_err(|e| file_error(path, format!("{name}: {e}")))?));
    }
    Ok(out)
}

/// Writes arrays as an uncompressed `.npz` file.
///
/// # Errors
/// When the file cannot be written, or a tensor is bf16.
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
    crate::session::write_atomically(path, &bytes)
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
    fn fortran_order_is_turned() {
        assert_eq!(from_fortran(&[1, 4, 2, 5, 3, 6], &[2, 3]), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn truncated_files_are_errors() {
        let bytes = encode(&Tensor::scalar(1.0f64)).expect("encoded");
        for n in 0..bytes.len() {
            assert!(decode(&bytes[..n]).is_err(), "{n}");
        }
    }
}
