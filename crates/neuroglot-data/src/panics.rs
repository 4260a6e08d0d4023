//! Panics of decoders, which are an answer like others.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::thread;

thread_local! {
    /// Whether a panic of this thread is about to be caught.
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Calls a decoder of a file that may be corrupt, and catches its panic without Rust printing it. Panics of other threads, and
/// of this one before and after, are printed as ever.
///
/// # Errors
/// The payload of the panic.
pub fn catch_decoder_panic<T>(decoder: impl FnOnce() -> T) -> thread::Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            // A thread that is ending has no such value any more, and catches nothing.
            if !IS_CAUGHT.try_with(Cell::get).unwrap_or(false) {
                usual(panic);
            }
        }));
    });
    let before = IS_CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(decoder));
    IS_CAUGHT.set(before);
    result
}
