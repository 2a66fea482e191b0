//! Steady-state runs make no heap allocation. A process of its own with a counting allocator, without the test harness, whose
//! threads would be counted too.

use kiln::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's allocator; counts what is asked of it.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(p, layout, size) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

type Failure = Box<dyn std::error::Error>;

/// Runs that may allocate (arenas, buffers of each thread), then those that may not.
const WARM: usize = 3;
const COUNTED: usize = 10;

/// Allocations of ten runs after three.
fn counted(mut run: impl FnMut(usize) -> Result<(), RunError>) -> Result<u64, Failure> {
    (0..WARM).try_for_each(&mut run)?;
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    (WARM..WARM + COUNTED).try_for_each(&mut run)?;
    Ok(ALLOCATIONS.load(Ordering::SeqCst) - before)
}

fn training_step(threads: usize) -> Result<u64, Failure> {
    let w = kiln_benches::table::make("T1").ok_or("no workload T1")?;
    let exe = Compiler::cpu().threads(threads).compile(&kiln_benches::models::function(&w))?;
    let mut session = Session::new(&exe)?;
    let order: Vec<bool> = exe.signature().inputs.iter().map(|p| p.name == "x").collect();
    let inputs: Vec<Vec<TensorView<'_>>> = w
        .batches
        .iter()
        .map(|(x, y)| order.iter().map(|&is_x| TensorView::from(if is_x { x } else { y })).collect())
        .collect();
    let mut loss = [0.0f32];
    let n = counted(|i| session.run_into(&inputs[i % inputs.len()], &mut [TensorViewMut::new(&[], &mut loss)?]))?;
    if loss[0] <= 0.0 || loss[0] > 2.8 { Err(format!("the loss is {loss:?}").into()) } else { Ok(n) }
}

/// One input `[4, 8]`, one output of the same shape.
fn graph(threads: usize, build: impl Fn(&Graph, &Expr) -> Expr, dims: kiln::ir::Shape) -> Result<u64, Failure> {
    let g = Graph::new("small");
    let x = g.placeholder::<f32>("x", dims);
    let y = build(&g, &x);
    let exe = Compiler::cpu().threads(threads).compile(&g.function([&y]))?;
    let (shape, data, mut out) = ([4, 8], [0.5f32; 32], [0.0f32; 32]);
    let inputs = [TensorView::new(&shape, &data)?];
    let n = counted(|_| exe.run_into(&inputs, &mut [TensorViewMut::new(&shape, &mut out)?]))?;
    if out.iter().all(|v| v.is_finite() && *v != 0.0) { Ok(n) } else { Err(format!("wrong results {out:?}").into()) }
}

fn main() -> std::process::ExitCode {
    let fixed = || kiln::ir::Shape::from([4i64, 8]);
    let weights = |g: &Graph, x: &Expr| x.dot(&g.variable("w", init::normal([8, 8], 1.0).seed(1))).softmax(-1);
    let repeat =
        |g: &Graph, x: &Expr| g.fori_loop(5, x.clone(), |_, x| (x.dot(&g.ones(DType::F32, [8, 8])) / 8.0).cos());
    let cases: Vec<(&str, Result<u64, Failure>)> = vec![
        ("training step, 1 thread", training_step(1)),
        ("training step, 2 threads", training_step(2)),
        ("elementwise", graph(1, |_, x| x * 2.0 + 1.0, fixed())),
        ("elementwise, named dimension", graph(1, |_, x| x * 2.0 + 1.0, dims!["n", 8])),
        ("product and softmax with a constant variable", graph(1, weights, fixed())),
        ("product and softmax, 2 threads", graph(2, weights, fixed())),
        ("loop", graph(1, repeat, fixed())),
        ("reduction", graph(1, |_, x| x.sum_keepdims(-1) + x, fixed())),
    ];
    let mut failed = false;
    for (name, result) in cases {
        match result {
            Ok(0) => println!("{name}: no allocation in {COUNTED} runs ... ok"),
            Ok(n) => println!("{name}: {n} allocations in {COUNTED} runs ... FAILED"),
            Err(ref e) => println!("{name}: {e} ... FAILED"),
        }
        failed |= !matches!(result, Ok(0));
    }
    // The counter itself has to work.
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    drop(std::hint::black_box(Box::new(1u8)));
    failed |= ALLOCATIONS.load(Ordering::SeqCst) == before;
    if failed { std::process::ExitCode::FAILURE } else { std::process::ExitCode::SUCCESS }
}
