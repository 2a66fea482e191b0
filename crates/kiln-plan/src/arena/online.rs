//! Placement in time order with a free list: `O(n log n)`.

use super::Interval;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// The gaps of an arena, by offset and by size.
#[derive(Default)]
struct FreeList {
    by_offset: BTreeMap<u64, u64>,
    by_size: BTreeSet<(u64, u64)>,
    end: u64,
}

impl FreeList {
    fn remove(&mut self, offset: u64, size: u64) {
        self.by_offset.remove(&offset);
        self.by_size.remove(&(size, offset));
    }

    fn insert(&mut self, offset: u64, size: u64) {
        self.by_offset.insert(offset, size);
        self.by_size.insert((size, offset));
    }

    /// The tightest gap that fits, or room at the end (widening a gap that touches it).
    fn take(&mut self, size: u64) -> u64 {
        if let Some(&(gap, offset)) = self.by_size.range((size, 0)..).next() {
            self.remove(offset, gap);
            if gap > size {
                self.insert(offset + size, gap - size);
            }
            return offset;
        }
        let offset = match self.by_offset.last_key_value() {
            Some((&o, &s)) if o + s == self.end => {
                self.remove(o, s);
                o
            }
            _ => self.end,
        };
        self.end = offset + size;
        offset
    }

    fn give(&mut self, mut offset: u64, mut size: u64) {
        if let Some((&o, &s)) = self.by_offset.range(..offset).next_back()
            && o + s == offset
        {
            self.remove(o, s);
            (offset, size) = (o, size + s);
        }
        if let Some(&s) = self.by_offset.get(&(offset + size)) {
            self.remove(offset + size, s);
            size += s;
        }
        self.insert(offset, size);
    }
}

/// Offsets and total size when buffers are placed in the order of their first step.
pub(super) fn place(intervals: &[Interval], sizes: &[u64]) -> (Vec<u64>, u64) {
    let mut order: Vec<usize> = (0..intervals.len()).filter(|&i| sizes[i] > 0).collect();
    order.sort_by_key(|&i| (intervals[i].first, Reverse(sizes[i]), i));
    let mut offsets = vec![0; intervals.len()];
    let mut free = FreeList::default();
    let mut ends: BinaryHeap<Reverse<(u32, usize)>> = BinaryHeap::new();
    for i in order {
        while let Some(&Reverse((last, j))) = ends.peek() {
            if last >= intervals[i].first {
                break;
            }
            ends.pop();
            free.give(offsets[j], sizes[j]);
        }
        offsets[i] = free.take(sizes[i]);
        ends.push(Reverse((intervals[i].last, i)));
    }
    (offsets, free.end)
}
