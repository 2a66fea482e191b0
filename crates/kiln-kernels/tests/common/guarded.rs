//! Memory that ends at a page that must not be touched, so that a kernel reading or writing beyond an operand dies.

/// Bytes of a page, or of several where pages are smaller.
#[cfg(target_os = "linux")]
const PAGE: usize = 1 << 16;

/// Zeroed memory whose last byte is followed by an inaccessible page (on Linux; elsewhere plain memory).
pub struct Guarded {
    map: *mut u8,
    mapped: usize,
    len: usize,
}

#[cfg(target_os = "linux")]
mod system {
    use core::ffi::{c_int, c_long, c_void};

    // SAFETY: the prototypes of POSIX, from the C library that std links anyway.
    unsafe extern "C" {
        pub fn mmap(addr: *mut c_void, len: usize, prot: c_int, flags: c_int, fd: c_int, offset: c_long)
        -> *mut c_void;
        pub fn mprotect(addr: *mut c_void, len: usize, prot: c_int) -> c_int;
        pub fn munmap(addr: *mut c_void, len: usize) -> c_int;
    }
    pub const NONE: c_int = 0;
    pub const READ_WRITE: c_int = 3;
    pub const PRIVATE_ANONYMOUS: c_int = 0x22;
}

#[cfg(target_os = "linux")]
impl Guarded {
    pub fn new(len: usize) -> Guarded {
        let usable = len.next_multiple_of(PAGE);
        let mapped = usable + PAGE;
        // SAFETY: a fresh private mapping.
        let map = unsafe {
            let map = system::mmap(core::ptr::null_mut(), mapped, system::READ_WRITE, system::PRIVATE_ANONYMOUS, -1, 0);
            assert!(map as isize != -1, "mmap of {mapped} bytes");
            let map = map.cast::<u8>();
            assert_eq!(system::mprotect(map.add(usable).cast(), PAGE, system::NONE), 0);
            map
        };
        Guarded { map, mapped, len }
    }

    pub fn as_mut_ptr(&self) -> *mut u8 {
        // SAFETY: inside the mapping: the bytes end where the inaccessible page starts.
        unsafe { self.map.add(self.mapped - PAGE - self.len) }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own.
        unsafe { system::munmap(self.map.cast(), self.mapped) };
    }
}

#[cfg(not(target_os = "linux"))]
impl Guarded {
    pub fn new(len: usize) -> Guarded {
        let mapped = len.max(1);
        // SAFETY: the layout has a size.
        let map = unsafe { std::alloc::alloc_zeroed(Guarded::layout(mapped)) };
        assert!(!map.is_null());
        Guarded { map, mapped, len }
    }

    fn layout(bytes: usize) -> std::alloc::Layout {
        std::alloc::Layout::from_size_align(bytes, 64).expect("a valid layout")
    }

    pub fn as_mut_ptr(&self) -> *mut u8 {
        self.map
    }
}

#[cfg(not(target_os = "linux"))]
impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { std::alloc::dealloc(self.map, Guarded::layout(self.mapped)) };
    }
}

impl Guarded {
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the accessible part.
        unsafe { core::slice::from_raw_parts(self.as_mut_ptr(), self.len) }
    }

    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: the accessible part.
        unsafe { core::slice::from_raw_parts_mut(self.as_mut_ptr(), self.len) }
    }
}

impl Clone for Guarded {
    fn clone(&self) -> Guarded {
        let mut copy = Guarded::new(self.len);
        copy.as_mut_slice().copy_from_slice(self.as_slice());
        copy
    }
}
