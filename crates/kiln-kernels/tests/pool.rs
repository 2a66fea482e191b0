//! The thread pool under stress.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use kiln_kernels::{ThreadPool, available_parallelism};

fn pool(threads: usize) -> ThreadPool {
    ThreadPool::new(threads).expect("threads")
}

/// Every index exactly once, in pieces of at least the grain except the last.
#[test]
fn covers_every_range_once() {
    for threads in [1, 2, 5] {
        let pool = pool(threads);
        for extent in [0, 1, 2, 7, 64, 1001] {
            for grain in [0, 1, 3, 64, 5000] {
                let counts: Vec<AtomicUsize> = (0..extent).map(|_| AtomicUsize::new(0)).collect();
                let pieces = Mutex::new(Vec::new());
                pool.parallel_for(extent, grain, &|start, end| {
                    pieces.lock().expect("no panics").push((start, end));
                    for index in start..end {
                        counts[index as usize].fetch_add(1, Ordering::Relaxed);
                    }
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
                for (start, end) in pieces.into_inner().expect("no panics") {
                    assert!(start < end && (end == extent || end - start >= grain), "{start}..{end} of {extent}");
                }
            }
        }
    }
}

#[test]
fn extreme_extents_do_not_overflow() {
    let pool = pool(3);
    let covered = AtomicU64::new(0);
    pool.parallel_for(u64::MAX, 1, &|start, end| {
        covered.fetch_add(end - start, Ordering::Relaxed);
    });
    assert_eq!(covered.into_inner(), u64::MAX);
}

/// All threads of the pool take part when the work allows it.
#[test]
fn workers_take_part() {
    let pool = pool(3);
    assert_eq!(pool.threads(), 3);
    // Three pieces that can only end together.
    let barrier = Barrier::new(3);
    pool.parallel_for(3, 1, &|start, end| {
        for _ in start..end {
            barrier.wait();
        }
    });
}

#[test]
fn many_short_ranges_in_a_row() {
    let pool = pool(4);
    let sum = AtomicU64::new(0);
    for round in 0..5000 {
        pool.parallel_for(9, 1, &|start, end| {
            sum.fetch_add((start..end).map(|i| i + round).sum(), Ordering::Relaxed);
        });
        if round % 1000 == 0 {
            // Long enough for the workers to fall asleep.
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    assert_eq!(sum.into_inner(), 5000 * 36 + 9 * (0..5000).sum::<u64>());
}

#[test]
fn many_threads_call_at_once() {
    let pool = pool(3);
    let sums: Vec<AtomicU64> = (0..6).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for sum in &sums {
            let pool = &pool;
            scope.spawn(move || {
                for _ in 0..400 {
                    pool.parallel_for(100, 3, &|start, end| {
                        sum.fetch_add((start..end).sum(), Ordering::Relaxed);
                    });
                }
            });
        }
    });
    for sum in sums {
        assert_eq!(sum.into_inner(), 400 * 4950);
    }
}

#[test]
fn nested_calls_run_inline() {
    let (outer, other) = (pool(3), pool(2));
    let sum = AtomicU64::new(0);
    outer.parallel_for(10, 1, &|start, end| {
        for _ in start..end {
            for pool in [&outer, &other] {
                let caller = std::thread::current().id();
                pool.parallel_for(10, 1, &|start, end| {
                    assert_eq!(std::thread::current().id(), caller);
                    sum.fetch_add((start..end).sum(), Ordering::Relaxed);
                });
            }
        }
    });
    assert_eq!(sum.into_inner(), 2 * 10 * 45);
}

/// A panic reaches the caller, and the pool works afterwards.
#[test]
fn panics_reach_the_caller() {
    let pool = pool(3);
    for culprit in 0..20 {
        let result = catch_unwind(AssertUnwindSafe(|| {
            pool.parallel_for(20, 1, &|start, end| {
                assert!(!(start..end).contains(&culprit), "piece {culprit}");
            });
        }));
        let panic = result.expect_err("the piece panics");
        assert_eq!(panic.downcast_ref::<String>(), Some(&format!("piece {culprit}")));
        let sum = AtomicU64::new(0);
        pool.parallel_for(20, 1, &|start, end| {
            sum.fetch_add(end - start, Ordering::Relaxed);
        });
        assert_eq!(sum.into_inner(), 20);
    }
}

#[test]
fn sizes_are_checked() {
    assert_eq!(pool(1).threads(), 1);
    assert_eq!(pool(0).threads(), available_parallelism());
    assert!(available_parallelism() >= 1);
    let error = ThreadPool::new(100_000).expect_err("too many threads");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
