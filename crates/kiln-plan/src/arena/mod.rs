//! Buffer assignment: lifetimes to offsets in one arena.
//!
//! A placement of intervals on a strip is sought whose height comes close to the lower bound, the largest sum of live bytes over
//! time. Several greedy orders are tried, each placing a buffer at the lowest (or tightest) gap between the buffers that live at
//! the same time; the best is kept. Offline dynamic storage allocation is NP-hard; greedy by size is the method of Pisarchyk and
//! Lee, "Efficient Memory Management for Deep Neural Net Inference" (2020).

mod lifetimes;
mod online;

use kiln_program::{Buffer, Slot, Step};
pub use lifetimes::find_lifetimes;

/// The lifetime of a buffer, `first..=last` in steps, and its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// Size in bytes; 0 takes no room.
    pub bytes: u64,
    /// First step at which the memory is needed.
    pub first: u32,
    /// Last step at which the memory is needed.
    pub last: u32,
}

/// Where each buffer lies.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Assignment {
    /// Offset of each interval, in order.
    pub offsets: Vec<u64>,
    /// Size of the arena.
    pub total: u64,
    /// The largest sum of (aligned) bytes live at one step: no assignment can be smaller.
    pub lower_bound: u64,
}

/// Finds the lifetimes of a program's buffers and gives those that lie in the arena their places there.
pub fn place(buffers: &mut [Buffer], steps: &[Step], align: u64) -> Assignment {
    find_lifetimes(buffers, steps);
    let arena: Vec<usize> = (0..buffers.len())
        .filter(|&i| buffers[i].slot == Slot::Arena && buffers[i].live.0 <= buffers[i].live.1)
        .collect();
    let interval = |b: &Buffer| Interval { bytes: b.bytes, first: b.live.0, last: b.live.1 };
    let intervals: Vec<Interval> = arena.iter().map(|&i| interval(&buffers[i])).collect();
    let assignment = assign(&intervals, align);
    for (&i, &offset) in arena.iter().zip(&assignment.offsets) {
        buffers[i].offset = offset;
    }
    assignment
}

/// Above this many buffers only the linear-time placement is tried.
const EXHAUSTIVE_LIMIT: usize = 3000;

/// Places the intervals; offsets are multiples of `align`, a power of two.
///
/// Deterministic. Quadratic for up to a few thousand intervals, `O(n log n)` beyond.
pub fn assign(intervals: &[Interval], align: u64) -> Assignment {
    let sizes: Vec<u64> = intervals.iter().map(|i| i.bytes.div_ceil(align) * align).collect();
    let lower_bound = lower_bound(intervals, &sizes);
    let mut best = online::place(intervals, &sizes);
    if intervals.len() <= EXHAUSTIVE_LIMIT {
        // Plain orders first: most plans are good enough then.
        for place in [place_in_order, improve] {
            for key in ORDERS {
                let mut order: Vec<usize> = (0..intervals.len()).filter(|&i| sizes[i] > 0).collect();
                order.sort_by_key(|&i| (key(&intervals[i], sizes[i]), i));
                for tightest in [false, true] {
                    if good_enough(best.1, lower_bound) {
                        break;
                    }
                    let placed = place(intervals, &sizes, &order, tightest, lower_bound);
                    if placed.1 < best.1 {
                        best = placed;
                    }
                }
            }
        }
    }
    Assignment { offsets: best.0, total: best.1, lower_bound }
}

/// Sort keys of the orders tried; smaller comes first.
const ORDERS: [fn(&Interval, u64) -> (i128, i128); 4] = [
    |i, size| (-i128::from(size), i128::from(i.first)),
    |i, size| (-(i128::from(size) * i128::from(i.last - i.first + 1)), i128::from(i.first)),
    |i, size| (-i128::from(i.last - i.first), -i128::from(size)),
    |i, size| (i128::from(i.first), -i128::from(size)),
];

fn lower_bound(intervals: &[Interval], sizes: &[u64]) -> u64 {
    let steps = intervals.iter().map(|i| i.last as usize + 2).max().unwrap_or(0);
    let mut delta = vec![0i128; steps];
    for (i, &size) in intervals.iter().zip(sizes) {
        delta[i.first as usize] += i128::from(size);
        delta[i.last as usize + 1] -= i128::from(size);
    }
    let mut live = 0i128;
    delta.into_iter().fold(0, |peak: i128, d| {
        live += d;
        peak.max(live)
    }) as u64
}

/// Within one part in 128 of what is possible: not worth more compile time.
fn good_enough(total: u64, lower_bound: u64) -> bool {
    total <= lower_bound + lower_bound / 128
}

/// Work (placements of one buffer) that one order may take.
const IMPROVE_WORK: usize = 20_000;

/// Places the buffers in order; then, while there is room for improvement, moves the buffer that sticks out on top to the front
/// of the order and tries again.
fn improve(
    intervals: &[Interval],
    sizes: &[u64],
    order: &[usize],
    tightest: bool,
    lower_bound: u64,
) -> (Vec<u64>, u64) {
    let mut order = order.to_vec();
    let mut best = place_in_order(intervals, sizes, &order, tightest, lower_bound);
    let mut placed = best.clone();
    for _ in 0..(IMPROVE_WORK / order.len().max(1)).min(100) {
        if good_enough(best.1, lower_bound) {
            break;
        }
        let top = |&i: &usize| placed.0[i] + sizes[i];
        let Some(at) = (0..order.len()).max_by_key(|&k| (top(&order[k]), k)) else { break };
        let highest = order.remove(at);
        order.insert(0, highest);
        placed = place_in_order(intervals, sizes, &order, tightest, lower_bound);
        if placed.1 < best.1 {
            best = placed.clone();
        }
    }
    best
}

/// Places the buffers one after the other in a gap left by those already placed that live at the same time: the lowest gap, or
/// the tightest.
fn place_in_order(
    intervals: &[Interval],
    sizes: &[u64],
    order: &[usize],
    tightest: bool,
    _lower_bound: u64,
) -> (Vec<u64>, u64) {
    let mut offsets = vec![0u64; intervals.len()];
    let mut placed: Vec<usize> = Vec::with_capacity(order.len()); // by offset
    let mut total = 0;
    for &i in order {
        let mut end = 0u64; // end of the occupied prefix
        let mut choice: Option<(u64, u64)> = None; // (gap, offset)
        for &p in placed.iter().filter(|&&p| overlap(&intervals[p], &intervals[i])) {
            if offsets[p] >= end {
                let gap = offsets[p] - end;
                if gap >= sizes[i] && choice.is_none_or(|(g, _)| tightest && gap < g) {
                    choice = Some((gap, end));
                }
            }
            end = end.max(offsets[p] + sizes[p]);
        }
        offsets[i] = choice.map_or(end, |(_, at)| at);
        total = total.max(offsets[i] + sizes[i]);
        let at = placed.partition_point(|&p| offsets[p] <= offsets[i]);
        placed.insert(at, i);
    }
    (offsets, total)
}

fn overlap(a: &Interval, b: &Interval) -> bool {
    a.first <= b.last && b.first <= a.last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(intervals: &[Interval], a: &Assignment) {
        for (i, x) in intervals.iter().enumerate() {
            assert!(a.offsets[i] + x.bytes <= a.total || x.bytes == 0);
            assert_eq!(a.offsets[i] % 64, 0);
            for (j, y) in intervals.iter().enumerate().skip(i + 1) {
                let apart = a.offsets[i] + x.bytes <= a.offsets[j] || a.offsets[j] + y.bytes <= a.offsets[i];
                assert!(x.bytes == 0 || y.bytes == 0 || !overlap(x, y) || apart, "{i} and {j} overlap");
            }
        }
        assert!(a.total >= a.lower_bound);
    }

    fn random(n: usize, mut seed: u64) -> Vec<Interval> {
        let mut next = move |m: u64| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 33) % m
        };
        let steps = n as u64;
        (0..n)
            .map(|_| {
                let first = next(steps) as u32;
                let scale = next(16);
                Interval { bytes: next(1 << scale), first, last: first + next(1 + steps / 8) as u32 }
            })
            .collect()
    }

    #[test]
    fn random_plans_are_valid_and_tight() {
        for seed in 0..20 {
            let v = random(200, seed);
            let a = assign(&v, 64);
            check(&v, &a);
            assert!(a.total as f64 <= 1.10 * a.lower_bound as f64, "{} > 1.1 x {}", a.total, a.lower_bound);
        }
    }

    #[test]
    fn large_plans_use_the_linear_method() {
        let v = random(EXHAUSTIVE_LIMIT + 500, 7);
        check(&v, &assign(&v, 64));
    }

    #[test]
    fn chains_reach_the_lower_bound() {
        let v: Vec<Interval> = (0..50).map(|i| Interval { bytes: 1000, first: i, last: i + 1 }).collect();
        let a = assign(&v, 64);
        check(&v, &a);
        assert_eq!(a.total, a.lower_bound);
        assert_eq!(a.lower_bound, 2048);
    }

    #[test]
    fn nothing_takes_no_room() {
        assert_eq!(assign(&[], 64), Assignment::default());
        assert_eq!(assign(&[Interval { bytes: 0, first: 0, last: 3 }], 64).total, 0);
    }
}
