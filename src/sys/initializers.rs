//! The functions that an executable lets run before `main`, among which a worker takes over.
//!
//! A worker process leaves the ordinary way of the program in one of these functions, and never
//! comes to those that stand behind it. But they may be constructors of C++ that the worker's
//! functions rely on, so it calls them itself.

use super::image::{self, Program};
use crate::sync::global::Once;
use std::ffi::{c_char, c_int};
use std::ptr;

/// A function in the initialization array, as Linux calls it: with the arguments of `main`.
pub(crate) type Initializer = extern "C" fn(c_int, *const *const c_char, *const *const c_char);

/// Calls the initializers of the executable that stand behind `own`, in their order; none if `own`
/// is not among them, as in a shared library.
///
/// Only for `own` itself, called by the loader and with the arguments from there, if it will never
/// return to it: otherwise they would be called twice. A second call does nothing.
pub(crate) fn run_those_after(
    own: Initializer,
    argc: c_int,
    argv: *const *const c_char,
    envp: *const *const c_char,
) {
    static CALLED: Once = Once::new();
    let mut is_first = false;
    CALLED.call_once(|| is_first = true);
    if !is_first {
        return;
    }
    for initializer in those_after(own, &all()) {
        initializer(argc, argv, envp);
    }
}

/// The part of `all` behind `own`, without what means nothing: an entry may also be null or -1.
fn those_after(own: Initializer, all: &[Option<Initializer>]) -> Vec<Initializer> {
    let address = |it: Initializer| it as usize;
    let is_own = |it: &Option<Initializer>| it.is_some_and(|it| address(it) == address(own));
    let Some(place) = all.iter().position(is_own) else { return Vec::new() };
    let means_something =
        |it: &Initializer| address(*it) != usize::MAX && address(*it) != address(own);
    all[place + 1..].iter().copied().flatten().filter(means_something).collect()
}

/// The initialization array of the executable.
fn all() -> Vec<Option<Initializer>> {
    let program = image::program();
    let Some((start, len)) = by_dynamic_section(program).or_else(by_linker) else {
        return Vec::new();
    };
    if !program.holds(start, len, libc::PF_R) || !start.is_multiple_of(align_of::<usize>()) {
        return Vec::new();
    }
    let first = start as *const Option<Initializer>;
    let count = len / size_of::<Initializer>();
    // SAFETY: the array is aligned, lies in a readable part of the executable, and holds the
    // addresses of functions, which the loader has already adjusted: it is just about to call them.
    let entry = |at| unsafe { ptr::read(first.wrapping_add(at)) };
    (0..count).map(entry).collect()
}

/// Start and length of the array as the loader finds it: in every executable but one that is
/// linked statically to a fixed address.
fn by_dynamic_section(program: &Program) -> Option<(usize, usize)> {
    const DT_NULL: usize = 0;
    const DT_INIT_ARRAY: usize = 25;
    const DT_INIT_ARRAYSZ: usize = 27;
    let section = program.segments.iter().find(|it| it.kind == libc::PT_DYNAMIC)?;
    let word = |at: usize| {
        let address = section.start + at * size_of::<usize>();
        program.holds(address, size_of::<usize>(), libc::PF_R).then(|| {
            // SAFETY: this is in a readable part of the executable, in a section of words.
            unsafe { ptr::read_unaligned(address as *const usize) }
        })
    };
    let (mut start, mut len) = (None, None);
    for at in 0..section.len / (2 * size_of::<usize>()) {
        let value = word(2 * at + 1)?;
        match word(2 * at)? {
            DT_NULL => break,
            DT_INIT_ARRAY => start = Some(program.base.wrapping_add(value)),
            DT_INIT_ARRAYSZ => len = Some(value),
            _ => {}
        }
    }
    Some((start?, len?))
}

// An executable that is linked statically to a fixed address has no dynamic section. Its own startup
// code takes the array from the linker, by these two symbols. They are weak, because a linker does
// not define them in a shared library, and hidden, so that nobody looks for them at run time: there
// both are null. The pair itself is weak as well, in case two versions of this crate meet.
#[cfg(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "riscv64",
    target_arch = "riscv32",
    target_arch = "loongarch64",
    target_arch = "s390x",
))]
mod bounds {
    #[cfg(target_pointer_width = "64")]
    macro_rules! word {
        () => {
            ".quad "
        };
    }
    #[cfg(target_pointer_width = "32")]
    macro_rules! word {
        () => {
            ".long "
        };
    }

    std::arch::global_asm!(
        ".weak __init_array_start",
        ".hidden __init_array_start",
        ".weak __init_array_end",
        ".hidden __init_array_end",
        ".pushsection .data.rel.ro.concurrent_futures_init_array, \"aw\"",
        ".balign 8",
        ".weak concurrent_futures_init_array",
        ".hidden concurrent_futures_init_array",
        "concurrent_futures_init_array:",
        concat!(word!(), "__init_array_start"),
        concat!(word!(), "__init_array_end"),
        ".popsection",
    );

    unsafe extern "C" {
        safe static concurrent_futures_init_array: [usize; 2];
    }

    #[inline(never)]
    pub(super) fn get() -> [usize; 2] {
        concurrent_futures_init_array
    }
}

#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "x86",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "riscv64",
    target_arch = "riscv32",
    target_arch = "loongarch64",
    target_arch = "s390x",
)))]
mod bounds {
    pub(super) fn get() -> [usize; 2] {
        [0; 2]
    }
}

/// Start and length of the array by the linker's symbols.
fn by_linker() -> Option<(usize, usize)> {
    let [start, end] = bounds::get();
    (start != 0 && start < end).then(|| (start, end - start))
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    extern "C" fn one(_: c_int, _: *const *const c_char, _: *const *const c_char) {
        std::hint::black_box(1);
    }
    extern "C" fn two(_: c_int, _: *const *const c_char, _: *const *const c_char) {
        std::hint::black_box(2);
    }
    extern "C" fn three(_: c_int, _: *const *const c_char, _: *const *const c_char) {
        std::hint::black_box(3);
    }

    /// An initializer of this very test, which only notes that it was called.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static NOTE: Initializer = one;

    fn addresses(of: &[Initializer]) -> Vec<usize> {
        of.iter().map(|it| *it as usize).collect()
    }

    #[test]
    fn those_behind_the_own_one_are_found() {
        // SAFETY: any value but null is a function pointer, as long as nobody calls it.
        let none = unsafe { std::mem::transmute::<usize, Initializer>(usize::MAX) };
        let all: [Option<Initializer>; 5] = [Some(one), Some(two), None, Some(none), Some(three)];
        assert_eq!(addresses(&those_after(one, &all)), addresses(&[two, three]));
        assert_eq!(addresses(&those_after(two, &all)), addresses(&[three]));
        assert!(those_after(three, &all).is_empty());
    }

    #[test]
    fn none_is_found_behind_one_that_is_absent() {
        assert!(those_after(two, &[Some(one), Some(three)]).is_empty());
        assert!(those_after(two, &[]).is_empty());
    }

    #[test]
    fn the_array_of_the_executable_holds_its_initializers() {
        let all = all();
        assert!(all.iter().flatten().any(|it| *it as usize == one as Initializer as usize));
        for initializer in all.iter().flatten() {
            assert!(image::offset_of(*initializer as usize).is_some());
        }
    }

    #[test]
    fn the_linker_and_the_loader_find_the_same_array() {
        let by_linker = by_linker().expect("this is an executable");
        if let Some(by_loader) = by_dynamic_section(image::program()) {
            assert_eq!(by_loader, by_linker);
        }
    }
}
