//! Random graphs through StableHLO text and back.

use kiln::ir::Func;
use kiln_stablehlo::{ToStableHlo, build, read_text};
use kiln_tests::{compare, random, size_of};

fn through_text(func: &Func) -> Result<Func, String> {
    let text = func.to_stablehlo().map_err(|e| format!("writing: {e}"))?;
    let module = read_text(&text, "random.mlir").map_err(|e| format!("{e}\n{text}"))?;
    Ok(build(&module, "main").map_err(|e| format!("{e}\n{text}"))?.func)
}

fn argument(name: &str) -> usize {
    name.trim_start_matches('a').parse().expect("a number")
}

#[test]
fn random_graphs_survive_stablehlo() {
    for seed in 0..300 {
        let case = random::generate(seed, size_of(seed));
        let read = through_text(&case.func).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        // The reader calls arguments `a0`, `a1`, ... and leaves out those that nothing uses.
        let inputs: Vec<_> = read.inputs.iter().map(|i| case.inputs[argument(&i.name)].clone()).collect();
        let found = kiln::interp::eval(&read, &inputs).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        assert_eq!(found.len(), case.expected.len(), "seed {seed}");
        for (i, (found, (expected, error))) in found.iter().zip(&case.expected).enumerate() {
            // A sum whose initial value is not 0 is written as two, with one rounding more; all else is the same to the bit.
            compare::compare(found, expected, *error).unwrap_or_else(|e| panic!("seed {seed}, output {i}: {e}"));
        }
    }
}
