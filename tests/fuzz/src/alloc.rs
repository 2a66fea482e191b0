//! An allocator that counts, and ends the process when a case takes more than it may.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that are allocated.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// The most that was allocated since [`reset`].
static PEAK: AtomicUsize = AtomicUsize::new(0);
/// The most that may be allocated.
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The exit status of a process that took more than its limit.
pub const OUT_OF_MEMORY: i32 = 86;

/// The system's allocator, counted.
pub struct Counting;

fn add(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
    if live > LIMIT.load(Relaxed) {
        LIMIT.store(usize::MAX, Relaxed);
        std::process::exit(OUT_OF_MEMORY);
    }
}

// SAFETY: every call goes on to the system's allocator unchanged; counting neither allocates nor touches the memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size.saturating_sub(layout.size()));
        LIVE.fetch_sub(layout.size().saturating_sub(size), Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, size) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }
}

/// Begins a case that may take this much more than there is now; usize::MAX for no bound.
pub fn reset(limit: usize) {
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    LIMIT.store(live.saturating_add(limit), Relaxed);
}

/// The most that was allocated at once since [`reset`], beyond what there was.
pub fn peak(before: usize) -> usize {
    PEAK.load(Relaxed).saturating_sub(before)
}

/// Bytes allocated now.
pub fn live() -> usize {
    LIVE.load(Relaxed)
}
