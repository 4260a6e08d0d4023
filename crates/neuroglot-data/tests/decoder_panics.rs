//! One test alone: the hook that prints panics belongs to the whole process.

use neuroglot_data::catch_decoder_panic;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::atomic::{AtomicUsize, Ordering};

static PRINTED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn only_panics_of_decoders_are_silent() {
    set_hook(Box::new(|_| {
        PRINTED.fetch_add(1, Ordering::SeqCst);
    }));
    let printed = |act: &dyn Fn()| {
        PRINTED.store(0, Ordering::SeqCst);
        act();
        PRINTED.load(Ordering::SeqCst)
    };
    let panics = || {
        let _ = catch_unwind(|| panic!("of the program"));
    };
    assert_eq!(printed(&|| assert!(catch_decoder_panic(|| panic!("of a decoder")).is_err())), 0);
    assert_eq!(printed(&panics), 1);
    // One decoder within another, and a thread that has nothing to do with it.
    let nested = || {
        let _ = catch_decoder_panic(|| {
            assert!(catch_decoder_panic(|| panic!("inner")).is_err());
            assert!(std::thread::spawn(|| panic!("another thread")).join().is_err());
            panic!("outer")
        });
    };
    assert_eq!(printed(&nested), 1);
    assert_eq!(printed(&|| assert_eq!(catch_decoder_panic(|| 7).ok(), Some(7))), 0);
    assert_eq!(printed(&|| drop(catch_unwind(AssertUnwindSafe(panics)))), 1);
}
