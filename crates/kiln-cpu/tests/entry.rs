//! Programs made by hand: launches, library calls, copies and control flow through the entry function.

mod common;

use common::{READ, WRITE};
use kiln_cpu::{CompileError, CpuOptions, CpuTarget, HostCode, JitError, NativeCode, compile, jit};
use kiln_ir::op::CompareDirection;
use kiln_ir::{BinaryOp, DType};
use kiln_kernels::CpuCall;
use kiln_kernels::abi::{LibraryCallSite, ParallelForFn, RunContext, parallel_for};
use kiln_kernels::pool::ThreadPool;
use kiln_loops::{Index, Kernel, KernelBuilder, LoopKind, Verified};
use kiln_program::{BoundPort, BoundSignature, Buffer, BufferId, KernelInfo, Program, Slot, Step};

/// `y = x op c` over `n` i32.
fn map(op: BinaryOp, c: f64, n: u64) -> Kernel {
    let mut b = KernelBuilder::new(format!("{} {c}", op.name()));
    let x = b.param("x", DType::I32, n, READ);
    let y = b.param("y", DType::I32, n, WRITE);
    b.for_loop(n, LoopKind::Parallel, |b, i| {
        let v = b.load(x, Index::constant(0).plus_axis(i, 1));
        let c = b.constant(DType::I32, c);
        let v = b.binary(op, v, c);
        b.store(y, Index::constant(0).plus_axis(i, 1), v);
    });
    b.finish()
}

/// `y = x[0] < limit`.
fn below(limit: f64) -> Kernel {
    let mut b = KernelBuilder::new("below");
    let x = b.param("x", DType::I32, 1, READ);
    let y = b.param("y", DType::Bool, 1, WRITE);
    let v = b.load(x, Index::constant(0));
    let limit = b.constant(DType::I32, limit);
    let v = b.compare(CompareDirection::LT, v, limit);
    b.store(y, Index::constant(0), v);
    b.finish()
}

fn port(name: &str, dtype: DType, n: usize) -> BoundPort {
    BoundPort { name: name.into(), dtype, shape: vec![n] }
}

/// A program with one i32 input and output of `n`, and i32 (and one bool) buffers in the arena.
struct Fixture {
    program: Program,
    kernels: Vec<Verified<Kernel>>,
    n: u64,
}

const INPUT: BufferId = BufferId(0);
const OUTPUT: BufferId = BufferId(1);
const PRED: BufferId = BufferId(2);
const A: BufferId = BufferId(3);
const B: BufferId = BufferId(4);

impl Fixture {
    fn new(n: u64) -> Fixture {
        let bytes = 4 * n;
        let stride = bytes.next_multiple_of(64);
        let buffer = |name: &str, dtype, bytes, slot, offset| Buffer {
            name: name.into(),
            dtype,
            bytes,
            slot,
            offset,
            live: (0, 0),
        };
        let program = Program {
            name: "test".into(),
            signature: BoundSignature {
                inputs: vec![port("in", DType::I32, n as usize)],
                outputs: vec![port("out", DType::I32, n as usize)],
                ..BoundSignature::default()
            },
            buffers: vec![
                buffer("in", DType::I32, bytes, Slot::Input(0), 0),
                buffer("out", DType::I32, bytes, Slot::Output(0), 0),
                buffer("pred", DType::Bool, 1, Slot::Arena, 0),
                buffer("a", DType::I32, bytes, Slot::Arena, 64),
                buffer("b", DType::I32, bytes, Slot::Arena, 64 + stride),
            ],
            steps: vec![],
            kernels: vec![],
            calls: vec![],
            constants: vec![],
            arena_bytes: 64 + 2 * stride,
            lower_bound_bytes: 0,
        };
        Fixture { program, kernels: vec![], n }
    }

    fn kernel(&mut self, kernel: Kernel, grain: u64) -> u32 {
        self.program.kernels.push(KernelInfo {
            name: kernel.name.clone(),
            params: kernel.params.iter().map(|p| p.len * p.dtype.size() as u64).collect(),
            extent: kernel.parallel_extent(),
            grain,
            bytes_moved: 0,
            flops: 0,
        });
        self.kernels.push(Verified::new(kernel).expect("verifies"));
        self.kernels.len() as u32 - 1
    }

    fn compile(&self) -> (NativeCode, kiln_cpu::CompileReport) {
        compile(&self.program, &self.kernels, &CpuOptions::default()).expect("compiles")
    }

    /// Runs on `input`; gives the output.
    fn run(&self, input: &[i32], pool: Option<&ThreadPool>) -> Vec<i32> {
        self.run_with(input, pool, parallel_for)
    }

    fn run_with(&self, input: &[i32], pool: Option<&ThreadPool>, parallel_for: ParallelForFn) -> Vec<i32> {
        let code = jit(&self.compile().0).expect("maps");
        let mut input = input.to_vec();
        let mut output = vec![-1i32; self.n as usize];
        let mut arena = vec![0u64; self.program.arena_bytes as usize / 8];
        let buffers: [*mut u8; 3] = [arena.as_mut_ptr().cast(), input.as_mut_ptr().cast(), output.as_mut_ptr().cast()];
        assert_eq!(self.program.slot_count(), buffers.len(), "no constants, no variables");
        let calls: Vec<LibraryCallSite> = self
            .program
            .calls
            .iter()
            .map(|c| LibraryCallSite { function: c.call.function(), params: c.call.params_ptr() })
            .collect();
        let ctx = RunContext {
            buffers: buffers.as_ptr(),
            kernels: code.kernels().as_ptr(),
            calls: calls.as_ptr(),
            parallel_for,
            pool: pool.map_or(std::ptr::null(), |p| &raw const *p),
        };
        // SAFETY: the context has the program's slots, kernels and calls.
        let status = unsafe { (code.entry())(&ctx) };
        assert_eq!(status, 0);
        output
    }
}

fn launch(kernel: u32, args: &[BufferId]) -> Step {
    Step::Launch { kernel, args: args.to_vec() }
}

#[test]
fn launches_direct_and_parallel() {
    let pool = ThreadPool::new(3).expect("threads");
    for (n, grain) in [(1, 1), (100, 1000), (1000, 10)] {
        let mut f = Fixture::new(n);
        let (add, double) =
            (f.kernel(map(BinaryOp::Add, 5.0, n), grain), f.kernel(map(BinaryOp::Multiply, 2.0, n), grain));
        f.program.steps = vec![launch(add, &[INPUT, A]), launch(double, &[A, B]), launch(add, &[B, OUTPUT])];
        let input: Vec<i32> = (0..n as i32).collect();
        let expected: Vec<i32> = input.iter().map(|v| (v + 5) * 2 + 5).collect();
        assert_eq!(f.run(&input, None), expected);
        assert_eq!(f.run(&input, Some(&pool)), expected);
    }
}

#[test]
fn small_kernels_bypass_the_pool() {
    unsafe extern "C" fn refuse(
        _: *const RunContext,
        _: kiln_kernels::abi::KernelFn,
        _: *const *mut u8,
        _: u64,
        _: u64,
    ) {
        std::process::abort();
    }
    let mut f = Fixture::new(10);
    let add = f.kernel(map(BinaryOp::Add, 5.0, 10), 10);
    f.program.steps = vec![launch(add, &[INPUT, OUTPUT])];
    assert_eq!(f.run_with(&[1; 10], None, refuse), [6; 10]);
}

#[test]
fn copies_of_all_sizes() {
    for n in [1, 2, 3, 5, 15, 16, 17, 63, 64, 65, 80, 81, 1000] {
        let mut f = Fixture::new(n);
        f.program.steps = vec![Step::Copy { src: INPUT, dst: A }, Step::Copy { src: A, dst: OUTPUT }];
        let input: Vec<i32> = (0..n as i32).map(|v| v * 7919).collect();
        assert_eq!(f.run(&input, None), input, "{n} elements");
    }
}

#[test]
fn library_calls() {
    use kiln_kernels::call_info;
    use kiln_program::call::{Call, DotParams};
    let mut f = Fixture::new(4);
    let dot = |size| call_info(Call::Dot(DotParams::row_major(DType::I32, size, size, size)));
    let workspace = dot(2).workspace;
    let mut args = vec![INPUT, INPUT, OUTPUT];
    if workspace > 0 {
        let (bytes, offset) = (workspace, f.program.arena_bytes);
        let workspace =
            Buffer { name: "workspace".into(), dtype: DType::U8, bytes, slot: Slot::Arena, offset, live: (0, 0) };
        f.program.buffers.push(workspace);
        f.program.arena_bytes += bytes.next_multiple_of(64);
        args.push(BufferId(f.program.buffers.len() as u32 - 1));
    }
    let add = f.kernel(map(BinaryOp::Add, 1.0, 4), 4);
    f.program.calls = vec![dot(1), dot(2)];
    f.program.steps = vec![Step::Call { call: 1, args }, launch(add, &[OUTPUT, A]), Step::Copy { src: A, dst: OUTPUT }];
    assert_eq!(f.run(&[1, 2, 3, 4], None), [7 + 1, 10 + 1, 15 + 1, 22 + 1]);
}

#[test]
fn while_if_and_case() {
    let n = 1;
    let mut f = Fixture::new(n);
    let (test, double, add) = (
        f.kernel(below(1000.0), 1),
        f.kernel(map(BinaryOp::Multiply, 2.0, n), 1),
        f.kernel(map(BinaryOp::Add, 1.0, n), 1),
    );
    let small = f.kernel(below(1500.0), 1);
    f.program.steps = vec![
        Step::Copy { src: INPUT, dst: A },
        Step::While {
            cond: vec![launch(test, &[A, PRED])],
            pred: PRED,
            body: vec![launch(double, &[A, B]), launch(add, &[B, A])],
        },
        launch(small, &[A, PRED]),
        Step::If { pred: PRED, then: vec![launch(add, &[A, OUTPUT])], otherwise: vec![launch(double, &[A, OUTPUT])] },
    ];
    let model = |mut v: i32| {
        while v < 1000 {
            v = v * 2 + 1;
        }
        if v < 1500 { v + 1 } else { v * 2 }
    };
    for v in [1, 3, 999, 1000, 2000] {
        assert_eq!(f.run(&[v], None), [model(v)], "from {v}");
    }

    let mut f = Fixture::new(n);
    let adds: Vec<u32> = (1..=3).map(|c| f.kernel(map(BinaryOp::Add, f64::from(c * 100), n), 1)).collect();
    let branches = adds.iter().map(|&k| vec![launch(k, &[INPUT, OUTPUT])]).collect();
    f.program.steps = vec![Step::Case { index: INPUT, branches }];
    for (v, expected) in [(0, 100), (1, 201), (2, 302), (3, 303), (-1, 299), (i32::MIN, i32::MIN + 300)] {
        assert_eq!(f.run(&[v], None), [expected], "branch {v}");
    }
}

#[test]
fn long_programs_become_several_functions() {
    let n = 4;
    let steps = 10_000;
    let mut f = Fixture::new(n);
    let add = f.kernel(map(BinaryOp::Add, 1.0, n), n);
    let test = f.kernel(below_first(n, 30_000.0), 1);
    let mut body = Vec::new();
    for _ in 0..steps / 2 {
        body.extend([launch(add, &[A, B]), launch(add, &[B, A])]);
    }
    f.program.steps = vec![
        Step::Copy { src: INPUT, dst: A },
        Step::While { cond: vec![launch(test, &[A, PRED])], pred: PRED, body },
        Step::Copy { src: A, dst: OUTPUT },
    ];
    let (_, report) = f.compile();
    assert!(report.entry_functions > 10, "{} functions", report.entry_functions);
    assert_eq!(f.run(&[0, 1, 2, 3], None), [30_000, 30_001, 30_002, 30_003]);
}

/// A light step before one that is nearly as heavy as a function may be: cutting such a list ends.
#[test]
fn a_heavy_step_behind_light_ones_is_cut_off() {
    let n = 1;
    for launches in [380, 390, 396, 398, 400, 420] {
        let mut f = Fixture::new(n);
        let add = f.kernel(map(BinaryOp::Add, 1.0, n), n);
        let test = f.kernel(below_first(n, 1.0), 1);
        let body = (0..launches / 2).flat_map(|_| [launch(add, &[A, B]), launch(add, &[B, A])]).collect();
        f.program.steps = vec![
            Step::Copy { src: INPUT, dst: A },
            Step::While { cond: vec![launch(test, &[A, PRED])], pred: PRED, body },
            Step::Copy { src: A, dst: OUTPUT },
        ];
        assert_eq!(f.run(&[0], None), [launches], "{launches} launches");
    }
}

/// `y = x[0] < limit`, on a buffer of `n`.
fn below_first(n: u64, limit: f64) -> Kernel {
    let mut k = below(limit);
    k.params[0].len = n;
    k
}

#[test]
fn functions_are_aligned_and_the_bytes_the_same_every_time() {
    let mut f = Fixture::new(8);
    for k in [map(BinaryOp::Add, 1.0, 8), map(BinaryOp::Add, 2.0, 8)] {
        f.kernel(k, 8);
    }
    let (code, _) = f.compile();
    assert_ne!(code.kernels[0], code.kernels[1]);
    assert!(code.kernels.iter().chain([&code.entry]).all(|k| k % 64 == 0));
    assert_eq!(f.compile().0, code, "the bytes are the same every time");
}

#[test]
fn programs_that_do_not_fit_are_refused() {
    let mut f = Fixture::new(8);
    let add = f.kernel(map(BinaryOp::Add, 1.0, 8), 8);
    let refused = |steps: Vec<Step>| {
        let program = Program { steps, ..f.program.clone() };
        match compile(&program, &f.kernels, &CpuOptions::default()) {
            Err(CompileError::Program(what)) => what,
            other => panic!("{other:?}"),
        }
    };
    assert!(refused(vec![launch(9, &[])]).contains("kernel 9"));
    assert!(refused(vec![launch(add, &[INPUT])]).contains("takes 2 buffers"));
    assert!(refused(vec![launch(add, &[INPUT, PRED])]).contains("`pred` has 1"));
    assert!(refused(vec![launch(add, &[INPUT, BufferId(99)])]).contains("buffer 99"));
    assert!(refused(vec![Step::Call { call: 0, args: vec![] }]).contains("library call 0"));
    assert!(refused(vec![Step::Copy { src: PRED, dst: A }]).contains("copy of 1 bytes"));
    assert!(refused(vec![Step::Case { index: PRED, branches: vec![vec![]] }]).contains("decides"));
    assert!(refused(vec![Step::Case { index: A, branches: vec![] }]).contains("without branches"));
}

#[test]
fn code_for_other_machines_is_refused() {
    let (code, _) = Fixture::new(1).compile();
    let with = |change: fn(&mut NativeCode)| {
        let mut code = code.clone();
        change(&mut code);
        jit(&code).expect_err("refused")
    };
    assert!(matches!(with(|c| c.target.arch = "mips".into()), JitError::Target { .. }));
    assert!(matches!(with(|c| c.target.features.push("warp".into())), JitError::Target { .. }));
    assert!(matches!(with(|c| c.entry = c.bytes.len() as u64), JitError::Malformed(_)));
    assert!(matches!(with(|c| c.kernels.push(1 << 40)), JitError::Malformed(_)));
    let target = CpuTarget { features: vec!["sse4.2".into(), "warp".into()], ..CpuTarget::host() };
    let unknown = CpuOptions { target, ..CpuOptions::default() };
    let f = Fixture::new(1);
    assert!(matches!(compile(&f.program, &[], &unknown), Err(CompileError::Target(_))));
}
