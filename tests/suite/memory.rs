//! The memory plan and the number of kernels of the benchmark workloads.

use kiln::ir::dim::DimEnv;
use kiln::prelude::*;
use kiln::program::{Buffer, Program, Slot};

fn program(key: &str, threads: usize) -> Program {
    let workload = kiln_benches::table::make(key).expect("the table has it");
    let func = kiln_benches::models::function(&workload).finish().unwrap_or_else(|d| panic!("{key}: {d}"));
    let compiled = Compiler::cpu().threads(threads).stages(&func, &DimEnv::new());
    compiled.unwrap_or_else(|e| panic!("{key}: {e}")).lowered.program
}

/// Buffers of the arena that are ever written.
fn arena(program: &Program) -> Vec<&Buffer> {
    let used = |b: &&Buffer| b.slot == Slot::Arena && b.bytes > 0 && b.live.0 <= b.live.1;
    program.buffers.iter().filter(used).collect()
}

/// The largest sum of bytes alive at one step, counted from the buffers alone.
fn live_peak(buffers: &[&Buffer]) -> u64 {
    let starts = buffers.iter().map(|b| b.live.0);
    let at = |step: u32| buffers.iter().filter(|b| b.live.0 <= step && step <= b.live.1).map(|b| b.bytes).sum();
    starts.map(at).max().unwrap_or(0)
}

/// Buffers that are alive at the same time lie apart, inside of the arena.
fn check_places(key: &str, program: &Program, buffers: &[&Buffer]) {
    for (i, a) in buffers.iter().enumerate() {
        assert!(a.offset + a.bytes <= program.arena_bytes, "{key}: {a:?} lies outside of the arena");
        for b in &buffers[i + 1..] {
            let together = a.live.0 <= b.live.1 && b.live.0 <= a.live.1;
            let apart = a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset;
            assert!(!together || apart, "{key}: {a:?} and {b:?} overlap");
        }
    }
}

/// `kernels` and `calls`: the most that the workload may take; a change for the better lowers them.
fn check(key: &str, kernels: usize, calls: usize) {
    let program = program(key, 1);
    let found = (program.kernels.len(), program.calls.len());
    println!("{key}: {} kernels and {} calls", found.0, found.1);
    assert!(
        found.0 <= kernels && found.1 <= calls,
        "{key}: {found:?} kernels and calls, at most {:?}",
        (kernels, calls)
    );
    let (arena_bytes, bound) = (program.arena_bytes, program.lower_bound_bytes);
    assert!(bound > 0 && arena_bytes >= bound, "{key}: {arena_bytes} bytes planned, {bound} alive");
    assert!(arena_bytes as f64 <= 1.05 * bound as f64, "{key}: {arena_bytes} bytes planned, {bound} would do");
    let buffers = arena(&program);
    check_places(key, &program, &buffers);
    let peak = live_peak(&buffers);
    assert!(peak <= bound, "{key}: {peak} bytes are alive at once, the plan says {bound}");
    // Sizes are rounded to cache lines in the plan's own bound.
    assert!(bound <= peak + 64 * buffers.len() as u64, "{key}: the bound {bound} is not the peak {peak}");
}

#[test]
fn mlp_training_step() {
    check("T1", 9, 8);
}

#[test]
fn cnn_training_step() {
    check("T2", 15, 8);
}

#[test]
fn gpt_training_step() {
    check("T3", 34, 75);
}

#[test]
fn bert() {
    check("I1.b1", 8, 48);
}

#[test]
fn resnet() {
    check("I2.b1", 14, 21);
}

#[test]
fn plans_for_two_threads_are_as_tight() {
    for key in ["T1", "T2"] {
        let p = program(key, 2);
        assert!(p.arena_bytes as f64 <= 1.05 * p.lower_bound_bytes as f64, "{key}: {}", p.arena_bytes);
    }
}

#[test]
fn memory_is_known_before_the_first_run() {
    let exe = Compiler::cpu().threads(1).compile(&crate::support::trainer(16)).expect("compiles");
    let [m] = exe.memory()[..] else { panic!("one program") };
    assert!(m.arena > 0 && m.arena >= m.lower_bound, "{m:?}");
    assert_eq!((m.inputs, m.outputs), (16 * 64 * 4 + 16 * 4, 4));
    // Weights and Adam's two moments of each, and its counter.
    let weights = 4 * (6 * 9 + 384 * 10 + 10);
    assert!(m.variables >= 3 * weights && m.variables <= 3 * weights + 64, "{m:?}");
    assert!(m.code > 0);
}

#[test]
fn named_sizes_are_planned_when_met() {
    let exe = Compiler::cpu().threads(1).compile(&crate::support::predictor()).expect("compiles");
    assert!(exe.memory().is_empty());
    exe.prepare(&[("batch", 2)]).expect("compiles for 2");
    exe.prepare(&[("batch", 20)]).expect("compiles for 20");
    let [small, large] = exe.memory()[..] else { panic!("two programs") };
    assert!(small.arena < large.arena && small.variables == large.variables, "{small:?} {large:?}");
}

#[test]
fn the_plan_prints() {
    let program = program("T1", 1);
    let table = program.memory_table();
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(rows.len(), 1 + arena(&program).len() + empty_buffers(&program), "{table}");
    assert!(rows[0].contains("offset") && rows[0].contains("bytes") && rows[0].contains("steps"), "{table}");
    let picture = program.arena_picture();
    let lines: Vec<&str> = picture.lines().collect();
    let (last, area) = lines.split_last().expect("it has lines");
    assert!(last.ends_with(&format!("{} bytes", program.arena_bytes)), "{picture}");
    assert_eq!(area.len(), 24);
    assert!(area.iter().all(|l| l.len() == area[0].len()), "{picture}");
    // At the peak, next to nothing is free.
    let fullest = (0..area[0].len()).map(|c| area.iter().filter(|l| l.as_bytes()[c] != b'.').count()).max();
    assert!(fullest >= Some(22), "{picture}");
    let steps = program.to_string();
    assert!(steps.contains("launch #0") && steps.contains("variable w0: f32[784, 256] (updated)"), "{steps}");
}

fn empty_buffers(program: &Program) -> usize {
    program.buffers.iter().filter(|b| b.slot == Slot::Arena && b.bytes == 0 && b.live.0 <= b.live.1).count()
}
