//! Runs an artifact in a process that holds no compiler: `run_artifact FILE THREADS OUT [NAME=DTYPE:SIZESxSIZES:FILE]...`
//! reads the inputs' raw bytes, writes those of all outputs behind each other.

use kiln_runtime::{DType, Executable, LoadOptions, Tensor, Trust};

fn input(spec: &str) -> Result<(String, Tensor), Box<dyn std::error::Error>> {
    let (name, rest) = spec.split_once('=').ok_or("NAME=DTYPE:SIZES:FILE")?;
    let mut parts = rest.splitn(3, ':');
    let mut next = || parts.next().ok_or("NAME=DTYPE:SIZES:FILE");
    let dtype = match next()? {
        "f32" => DType::F32,
        "i32" => DType::I32,
        other => return Err(format!("dtype {other}").into()),
    };
    let sizes = next()?.split('x').filter(|s| !s.is_empty()).map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let bytes = std::fs::read(next()?)?;
    Ok((name.to_owned(), Tensor::from_bytes(dtype, sizes, &bytes)?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [file, threads, out, inputs @ ..] = args.as_slice() else { return Err("too few arguments".into()) };
    let exe = Executable::load_with(file, &LoadOptions::new(Trust::RunsItsCode).threads(threads.parse()?))?;
    let inputs = inputs.iter().map(|s| input(s)).collect::<Result<Vec<_>, _>>()?;
    let feeds: Vec<(&str, &Tensor)> = inputs.iter().map(|(n, t)| (n.as_str(), t)).collect();
    // A session, so that training steps run as well.
    let outputs = exe.session()?.run(&feeds)?.into_vec();
    let bytes: Vec<u8> = outputs.iter().flat_map(|t| t.bytes().to_vec()).collect();
    std::fs::write(out, bytes)?;
    Ok(())
}
